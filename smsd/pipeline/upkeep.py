"""Removes text and numbers of what ended long ago, in steps that hold nobody up."""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smsd.core.errors import SpoolUnavailable
from smsd.pipeline.loop import Loop
from smsd.ports import ILedger

#: Seconds between two looks.
POLL_S: Final = 5.0
#: Messages in a step, which takes a few milliseconds; what is accepted or sent meanwhile goes between two of them.
STEP: Final = 150
#: Steps in a look, at most: 600 messages a second, more than can be sent.
STEPS: Final = 20


class Upkeep:
    """Forgets a few finished messages at a time."""

    _log = Logger()

    def __init__(self, *, ledger: ILedger, keep_s: float, clock: IReactorTime, now: Callable[[], float]) -> None:
        """What ended ``keep_s`` seconds ago is forgotten."""
        self._ledger = ledger
        self._keep_s = keep_s
        self._now = now
        self._is_stopping = False
        # Of a spool that is not available, whoever accepts and sends speaks already.
        self._steps = Loop(self._forget, name="forgetting", ignored=SpoolUnavailable, log=self._log, clock=clock)

    def start(self) -> None:
        """Look now, and again and again."""
        self._steps.start(POLL_S)

    async def stop(self) -> None:
        """Finish the step under way and take no other."""
        self._is_stopping = True
        await self._steps.stop()

    async def _forget(self) -> None:
        before = self._now() - self._keep_s
        for _ in range(STEPS):
            if await self._ledger.forget(before, STEP) < STEP or self._is_stopping:
                return
