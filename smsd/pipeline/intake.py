"""Turns submissions into accepted messages: durable first, answered after."""

import math
from collections.abc import Callable, Sequence

import attrs

from smsd.core.claim import Claim
from smsd.core.errors import Closing, SpoolFull
from smsd.core.message import Message, What
from smsd.core.notice import Notice
from smsd.core.quota import Quota, Usage
from smsd.core.submission import Submission
from smsd.core.turns import Place
from smsd.ports import IInbox, IReporter


@attrs.frozen(kw_only=True)
class Receipt:
    """What a client is told of what was accepted."""

    ids: tuple[str, ...]  #: one a submission
    messages: tuple[Message, ...]  #: one a request to the provider
    position: int | None  #: the place in line of the first, 1 is next; None if its time has not come
    eta: float  #: UTC epoch seconds; when the last should leave, if nothing else happens
    usages: tuple[Usage, ...]  #: what the API key has used of its quotas, with these


@attrs.frozen(kw_only=True)
class IdempotencyKey:
    """A client's word for its request, and how what it is for is answered."""

    key: str
    fingerprint: str  #: of the body
    answer: Callable[[Receipt], str]  #: pure; the body of the answer


class Intake:
    """The accepting half: it knows the inbox and a wake-up, and nothing of how messages are sent."""

    def __init__(
        self,
        *,
        inbox: IInbox,
        pace: Callable[[], float],
        backlog_limit: int,
        idempotency_s: float,
        callback_url: Callable[[str], str],
        quotas: Callable[[str], Sequence[Quota]],
        new_id: Callable[[], str],
        now: Callable[[], float],
        wake: Callable[[], None],
        reporter: IReporter,
    ) -> None:
        """At most ``backlog_limit`` recipients may wait; ``wake`` tells of new messages.

        ``pace`` says how many requests a second the provider is given at the moment.

        An idempotency key is remembered for ``idempotency_s`` seconds. ``callback_url`` and ``quotas`` say what is set
        for an API key, by its name.
        """
        self._inbox = inbox
        self._pace = pace
        self._backlog_limit = backlog_limit
        self._idempotency_s = idempotency_s
        self._callback_url = callback_url
        self._quotas = quotas
        self._new_id = new_id
        self._now = now
        self._wake = wake
        self._reporter = reporter
        #: Whether new messages are taken.
        self.is_open = True

    async def accept(
        self, submissions: Sequence[Submission], api_key: str, idempotency: IdempotencyKey | None = None
    ) -> Receipt:
        """Keep ``submissions``, all or none, made under the key named ``api_key``; returns when they are durable.

        Raises SpoolFull when the backlog is at its limit, Claimed when the idempotency key was used before,
        SpoolUnavailable when nothing can be kept, and Closing.
        """
        if not self.is_open:
            raise Closing
        now = self._now()
        url = self._callback_url(api_key)
        parts = [each.messages(new_id=self._new_id, api_key=api_key, now=now, callback_url=url) for each in submissions]
        ids = tuple(id for id, _ in parts)
        messages = tuple(message for _, some in parts for message in some)

        pace = self._pace()

        def receipt(place: Place) -> Receipt:
            # What is scheduled begins at its time, and leaves at the pace like everything else.
            last = messages[-1].not_before + (len(messages) - 1) / pace
            return Receipt(
                ids=ids,
                messages=messages,
                position=place.first + 1 if messages[0].not_before <= now else None,
                eta=max(last, now + place.last / pace),
                usages=place.usages,
            )

        claim = None if idempotency is None else self._claim(idempotency, api_key, now, receipt)
        place = await self._append(messages, claim, now)
        self._reporter.report(Notice(what=What.ACCEPTED, at=now, message=messages[0], count=len(messages)))
        self._wake()
        return receipt(place)

    async def _append(self, messages: Sequence[Message], claim: Claim | None, now: float) -> Place:
        try:
            return await self._inbox.append(messages, self._backlog_limit, claim, self._quotas(messages[0].api_key))
        except SpoolFull as full:
            self._reporter.report(Notice(what=What.DROPPED, at=now, detail=str(full)))
            # Room comes with each request, which carries as many recipients as the average message has.
            requests = (full.waiting + full.asked - full.limit) * full.messages / max(1, full.waiting)
            until_room_s = math.ceil(requests / self._pace())
            raise attrs.evolve(full, retry_after_s=max(1, until_room_s)) from None

    def _claim(
        self, idempotency: IdempotencyKey, api_key: str, now: float, receipt: Callable[[Place], Receipt]
    ) -> Claim:
        return Claim(
            api_key=api_key,
            key=idempotency.key,
            fingerprint=idempotency.fingerprint,
            at=now,
            until=now + self._idempotency_s,
            answer=lambda place: idempotency.answer(receipt(place)),
        )
