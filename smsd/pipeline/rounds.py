"""Works off what an outbox leases, again and again, in the background and one by one."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smsd.core.errors import SpoolUnavailable
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.pipeline.loop import Loop
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
        self._rounds = Loop(
            self._go, name="a round in the background", ignored=CancelledError, log=self._log, clock=clock
        )

    def start(self) -> None:
        """Begin a round now, and again and again."""
        self._rounds.start(self._every_s)

    async def stop(self) -> None:
        """Break off the work under way, which may be long, and begin no other."""
        await self._rounds.break_off()

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
