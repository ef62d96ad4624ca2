"""Keeps the window filled from the spool, a second or so ahead of the pace."""

import math
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smsd.core.errors import LeaseLost, SpoolUnavailable
from smsd.core.message import What
from smsd.core.notice import Notice, of
from smsd.core.settle import expire
from smsd.pipeline.window import SIZE, Window
from smsd.ports import IOutbox, IReporter, Lease

#: Seconds between two looks for what has become due; a wake-up comes sooner.
POLL_S: Final = 0.5


class Feeder:
    """Leases what is due, best first, and ends what is stale by then.

    It stays only about a second ahead: what is leased can no longer be overtaken by a message of higher priority.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        outbox: IOutbox,
        window: Window,
        rate: float,
        fills: bool = False,
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """At ``rate`` requests a second; if it ``fills`` the window, one request may take all that is in it."""
        self._outbox = outbox
        self._window = window
        self._ahead = SIZE if fills else min(SIZE, max(2, math.ceil(rate)))
        self._now = now
        self._reporter = reporter
        self._poll = LoopingCall(self.wake)
        self._poll.clock = clock
        self._feeding: Deferred[None] | None = None
        self._missed = False
        self._is_outdated = False
        #: Why nothing can be read from the spool; empty while all is well.
        self.trouble = ""

    def start(self) -> None:
        """Look now, and again and again."""
        _ = self._poll.start(POLL_S)

    def refill(self) -> None:
        """Look now, and lease anew what waits in the window: something is due that goes before it. Does not wait."""
        self._is_outdated = True
        self.wake()

    def wake(self) -> None:
        """Look now: something may be due, or the window has room. Does not wait."""
        if self._feeding is not None:
            self._missed = True
        elif self._is_outdated or len(self._window) <= self._ahead // 2:
            self._feeding = Deferred.fromCoroutine(self._feed())
            # A fault of ours must not end the feeding: the next poll tries again.
            _ = self._feeding.addErrback(lambda failure: self._log.failure("feeding the window broke", failure))
            _ = self._feeding.addCallback(self._fed)

    async def stop(self) -> None:
        """Stop looking, and give back what waits in the window."""
        self._poll.stop()
        if self._feeding is not None:
            await self._feeding
        await self.give_back()

    async def give_back(self) -> None:
        """Release what waits in the window."""
        while (lease := self._window.take()) is not None:
            await self._outbox.release(lease)

    def _fed(self, _: None) -> None:
        self._feeding = None
        if self._missed and self._poll.running:
            self._missed = False
            self.wake()

    async def _feed(self) -> None:
        leases: list[Lease] = []
        try:
            if self._is_outdated:
                self._is_outdated = False
                await self.give_back()
            while (room := self._ahead - len(self._window)) > 0 and self._poll.running:
                leases = await self._outbox.lease(self._now(), room)
                is_last = len(leases) < room
                while leases:
                    await self._admit(leases[0])
                    leases.pop(0)
                self.trouble = ""
                if is_last:
                    return
        except SpoolUnavailable as error:
            self.trouble = str(error)
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), detail=self.trouble))
        finally:
            for lease in leases:  # what did not get into the window is for the next time
                await self._outbox.release(lease)

    async def _admit(self, lease: Lease) -> None:
        now = self._now()
        if not lease.message.is_stale(now):
            self._window.put(lease)
            return
        try:
            expired = await self._outbox.store(lease, expire(lease.message, now))
        except LeaseLost:
            return  # canceled meanwhile
        self._reporter.report(of(expired.message))
