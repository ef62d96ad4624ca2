"""Turns a submission into an accepted message: durable first, answered after."""

import math
from collections.abc import Callable

import attrs

from smsd.core.errors import Closing, SpoolFull
from smsd.core.message import Message, What
from smsd.core.notice import Notice
from smsd.core.submission import Submission
from smsd.ports import IInbox, IReporter


@attrs.frozen(kw_only=True)
class Receipt:
    """What a client is told of its accepted message."""

    message: Message
    position: int  #: its place in line, 1 is next; of what is scheduled, if its time were now
    eta: float  #: UTC epoch seconds; when it should leave, if nothing else happens


class Intake:
    """The accepting half: it knows the spool and a wake-up, and nothing of how messages are sent."""

    def __init__(
        self,
        *,
        inbox: IInbox,
        rate: float,
        backlog_limit: int,
        new_id: Callable[[], str],
        now: Callable[[], float],
        wake: Callable[[], None],
        reporter: IReporter,
    ) -> None:
        """At most ``backlog_limit`` messages may wait; they leave at ``rate`` a second; ``wake`` tells of new ones."""
        self._inbox = inbox
        self._rate = rate
        self._backlog_limit = backlog_limit
        self._new_id = new_id
        self._now = now
        self._wake = wake
        self._reporter = reporter
        #: Whether new messages are taken.
        self.is_open = True

    async def accept(self, submission: Submission, api_key: str) -> Receipt:
        """Keep ``submission``, made under the key named ``api_key``; returns when it is durable.

        Raises SpoolFull when the backlog is at its limit, SpoolUnavailable when it cannot be kept, and Closing.
        """
        if not self.is_open:
            raise Closing
        now = self._now()
        message = submission.message(id=self._new_id(), api_key=api_key, now=now)
        try:
            ahead = await self._inbox.append([message], self._backlog_limit)
        except SpoolFull as full:
            self._reporter.report(Notice(what=What.DROPPED, at=now, detail=str(full)))
            until_room_s = math.ceil((full.waiting - full.limit + 1) / self._rate)
            raise attrs.evolve(full, retry_after_s=max(1, until_room_s)) from None
        self._reporter.report(Notice(what=What.ACCEPTED, at=now, message=message))
        self._wake()
        return Receipt(message=message, position=ahead + 1, eta=max(message.not_before, now + ahead / self._rate))
