"""Turns a submission into an accepted message: durable first, answered after."""

import math
from collections.abc import Callable

import attrs

from smsd.core.errors import SpoolFull, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import Kind, Notice, of
from smsd.core.submission import Submission
from smsd.ports import IReporter, ISpool


@attrs.frozen(kw_only=True)
class Receipt:
    """What a client is told of its accepted message."""

    message: Message
    position: int  #: its place among what waits, 1 is next
    eta: float  #: UTC epoch seconds; when it should leave, if nothing else happens


class Intake:
    """The accepting half: it knows the spool and a wake-up, and nothing of how messages are sent."""

    def __init__(
        self,
        *,
        spool: ISpool,
        rate: float,
        backlog_limit: int,
        new_id: Callable[[], str],
        now: Callable[[], float],
        wake: Callable[[], None],
        reporter: IReporter,
    ) -> None:
        """At most ``backlog_limit`` messages may wait; they leave at ``rate`` a second; ``wake`` tells of new ones."""
        self._spool = spool
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

        Raises SpoolFull when the backlog is at its limit and SpoolUnavailable when it cannot be kept.
        """
        if not self.is_open:
            raise SpoolUnavailable(reason="the daemon is stopping")
        now = self._now()
        message = submission.message(id=self._new_id(), api_key=api_key, now=now)
        try:
            ahead = await self._append(message)
        except SpoolFull as full:
            self._reporter.report(Notice(kind=Kind.DROPPED, at=now, detail=str(full)))
            raise
        self._reporter.report(attrs.evolve(of(message), kind=Kind.ACCEPTED))
        self._wake()
        return Receipt(message=message, position=ahead + 1, eta=max(message.not_before, now + ahead / self._rate))

    async def _append(self, message: Message) -> int:
        waiting = (await self._spool.depth())[State.QUEUED]
        if waiting >= self._backlog_limit:
            raise self._full(waiting, self._backlog_limit)
        try:
            return await self._spool.append([message])
        except SpoolFull as full:
            raise self._full(full.waiting, full.limit) from full

    def _full(self, waiting: int, limit: int) -> SpoolFull:
        until_room_s = math.ceil((waiting - limit + 1) / self._rate)
        return SpoolFull(waiting=waiting, limit=limit, retry_after_s=max(1, until_room_s))
