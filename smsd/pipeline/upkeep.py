"""Removes text and numbers of what ended long ago, in steps that hold nobody up."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smsd.core.errors import SpoolUnavailable
from smsd.ports import ILedger

#: Seconds between two steps: 100,000 messages an hour, each step a few milliseconds.
POLL_S: Final = 5.0
#: Messages in a step.
STEP: Final = 150


class Upkeep:
    """Forgets a few finished messages at a time."""

    _log = Logger()

    def __init__(self, *, ledger: ILedger, keep_s: float, clock: IReactorTime, now: Callable[[], float]) -> None:
        """What ended ``keep_s`` seconds ago is forgotten."""
        self._ledger = ledger
        self._keep_s = keep_s
        self._now = now
        self._loop = LoopingCall(self._step)
        self._loop.clock = clock
        self._ended: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Take a step now, and again and again."""
        self._ended = self._loop.start(POLL_S)

    async def stop(self) -> None:
        """Finish the step under way and take no other."""
        if self._ended is not None:
            self._loop.stop()
            await self._ended

    def _step(self) -> Deferred[None]:
        step = Deferred.fromCoroutine(self._forget())
        # A fault of ours must not end the upkeep: a LoopingCall stops at the first failure.
        return step.addErrback(lambda failure: self._log.failure("forgetting broke", failure))

    async def _forget(self) -> None:
        try:
            await self._ledger.forget(self._now() - self._keep_s, STEP)
        except SpoolUnavailable:
            return  # whoever accepts and sends says so already
