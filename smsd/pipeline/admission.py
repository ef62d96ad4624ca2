"""Keeps accepted messages if there is room for them, and tells of them."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from smsd.core.claim import Claim
from smsd.core.errors import Closing, SpoolFull, SpoolUnavailable
from smsd.core.message import Message, What
from smsd.core.notice import Notice
from smsd.core.outlook import Outlook
from smsd.core.quota import Quota
from smsd.core.turns import Place
from smsd.ports import IInbox, IReporter

#: Seconds for which it is told that nothing could be kept. Whoever heeds it sends nothing, so only a new try can show
#: that it is over.
TOLD_S: Final = 10.0

#: Seconds after which a client may ask again when nobody knows when there is room: what waits is held for a person.
UNKNOWN_S: Final = 3600


#: Seconds after a request went out within which its room is surely free.
ROOM_S: Final = 0.1


@attrs.frozen(kw_only=True)
class Parcel:
    """What one request asks to keep, all or none."""

    api_key: str  #: the name of the key that it came under
    messages: Sequence[Message]  #: at least one


class Admission:
    """The inner end of the accepting half, one for all accept processes: it knows the inbox and a wake-up."""

    def __init__(
        self,
        *,
        inbox: IInbox,
        outlook: Callable[[], Outlook],
        backlog_limit: int,
        quotas: Callable[[str], Sequence[Quota]],
        wake: Callable[[], None],
        reporter: IReporter,
    ) -> None:
        """At most ``backlog_limit`` recipients may wait; ``wake`` tells of new messages.

        ``outlook`` says when the provider can be given requests, as of now, ``quotas`` what is set for an API key, by
        its name.
        """
        self._inbox = inbox
        self._outlook = outlook
        self._backlog_limit = backlog_limit
        self._quotas = quotas
        self._wake = wake
        self._reporter = reporter
        #: Whether new messages are taken.
        self.is_open = True
        self._failure = ""
        self._failed_at = 0.0

    def trouble(self, now: float) -> str:
        """Why what was last asked for could not be kept, as of ``now``; empty while all is well, or after TOLD_S."""
        return self._failure if abs(now - self._failed_at) < TOLD_S else ""

    async def admit(self, messages: Sequence[Message], claim: Claim | None, now: float) -> Place:
        """Keep ``messages``, all of one API key, all or none; returns when they are durable, with their place in line.

        Raises SpoolFull when the backlog is at its limit, Claimed when the idempotency key was used before,
        QuotaExceeded, SpoolUnavailable when nothing can be kept, and Closing.
        """
        self._check_open()
        first = messages[0]
        try:
            place = await self._inbox.append(messages, self._backlog_limit, claim, self._quotas(first.api_key))
        except SpoolFull as full:
            raise self._dropped(full, now) from None
        except SpoolUnavailable as unavailable:
            self._failure, self._failed_at = str(unavailable), now
            raise
        self._accepted(first, len(messages), now)
        return place

    async def admit_each(self, parcels: Sequence[Parcel], now: float) -> list[Place | Exception]:
        """Keep each of ``parcels`` as ``admit`` does, all in one step; the answers say what became of each.

        The API keys have no quotas. Raises SpoolUnavailable when nothing can be kept, and Closing.
        """
        self._check_open()
        try:
            answers = await self._inbox.append_each([parcel.messages for parcel in parcels], self._backlog_limit)
        except SpoolUnavailable as unavailable:
            self._failure, self._failed_at = str(unavailable), now
            raise
        accepted: dict[str, list[Sequence[Message]]] = {}
        for parcel, answer in zip(parcels, answers, strict=True):
            if isinstance(answer, Place):
                accepted.setdefault(parcel.api_key, []).append(parcel.messages)
        for several in accepted.values():
            self._accepted(several[0][0], sum(map(len, several)), now)
        return [self._dropped(each, now) if isinstance(each, SpoolFull) else each for each in answers]

    def _check_open(self) -> None:
        if not self.is_open:
            raise Closing

    def _accepted(self, first: Message, count: int, now: float) -> None:
        self._failure = ""
        self._reporter.report(Notice(what=What.ACCEPTED, at=now, message=first, count=count))
        self._wake()

    def _dropped(self, full: SpoolFull, now: float) -> SpoolFull:
        self._reporter.report(Notice(what=What.DROPPED, at=now, detail=str(full)))
        return attrs.evolve(full, retry_after_s=self._until_room_s(full, now))

    def _until_room_s(self, full: SpoolFull, now: float) -> int:
        # For each request that goes out, the next one leaves the backlog. Who is a moment early is refused again.
        outlook = self._outlook()
        wait_s = outlook.wait_s(max(0, math.ceil(full.requests) - 1))
        if full.due_at is not None:
            wait_s = max(wait_s, outlook.wait_from_s(full.due_at - now, full.later - 1))
        is_known = full.due_at is not None or not full.later
        return max(math.ceil(wait_s + ROOM_S), 0 if is_known else UNKNOWN_S)
