"""Works off what an outbox leases, again and again, in the background and one by one."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.core.errors import SpoolUnavailable
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.ports import IOutbox, IReporter, Lease


class Rounds:
    """One round after the other; the next begins when the last is through and its time has come."""

    _log = Logger()

    def __init__(
        self,
        *,
        take: Callable[[], Coroutine[Deferred[Any], Any, list[Lease]]],
        work: Callable[[Lease], Coroutine[Deferred[Any], Any, None]],
        every_s: float,
        outbox: IOutbox,
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``take`` leases what a round works off from ``outbox``; ``work`` ends the lease that it is given.

        A round begins at most every ``every_s`` seconds. Both may raise SpoolUnavailable: what is left is released,
        and the next round tries again.
        """
        self._take = take
        self._work = work
        self._every_s = every_s
        self._outbox = outbox
        self._now = now
        self._reporter = reporter
        self._loop = LoopingCall(self._begin)
        self._loop.clock = clock
        self._ended: Deferred[LoopingCall] | None = None
        self._round: Deferred[None] | None = None

    def start(self) -> None:
        """Begin a round now, and again and again."""
        self._ended = self._loop.start(self._every_s)

    async def stop(self) -> None:
        """Break off the work under way, which may be long, and begin no other."""
        if self._ended is not None:
            self._loop.stop()
            if self._round is not None:
                self._round.cancel()
            await self._ended

    def _begin(self) -> Deferred[None]:
        self._round = Deferred.fromCoroutine(self._go())
        # A fault of ours must not end the rounds: a LoopingCall stops at the first failure.
        return self._round.addErrback(self._broke)

    def _broke(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._log.failure("a round in the background broke", failure)

    async def _go(self) -> None:
        leases: list[Lease] = []
        try:
            leases = await self._take()
            while leases:
                await self._work(leases[0])
                leases.pop(0)
        except SpoolUnavailable as error:
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), detail=str(error)))
        finally:
            for lease in leases:  # what was not worked off is for the next round
                await self._outbox.release(lease)
