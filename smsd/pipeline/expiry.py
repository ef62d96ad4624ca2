"""Ends what waits past its validity, wherever in line it stands, and though nothing be sent."""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smsd.core.errors import NotAllowed, SpoolUnavailable, UnknownMessage
from smsd.core.notice import of
from smsd.core.settle import expire_overdue
from smsd.pipeline.loop import Loop
from smsd.pipeline.together import together
from smsd.ports import ILedger, IReporter

#: Seconds between two looks.
POLL_S: Final = 1.0
#: Messages in a step; what is accepted or sent meanwhile goes between two of them.
STEP: Final = 100
#: Steps in a look, at most.
STEPS: Final = 20


class Expiry:
    """Looks for what is stale once a second. What is about to be sent is looked at once more by the sender."""

    _log = Logger()

    def __init__(self, *, ledger: ILedger, clock: IReactorTime, now: Callable[[], float], reporter: IReporter) -> None:
        """``now`` is UTC epoch seconds."""
        self._ledger = ledger
        self._now = now
        self._reporter = reporter
        self._is_stopping = False
        self._looks = Loop(self._look, name="expiring", ignored=SpoolUnavailable, log=self._log, clock=clock)

    @property
    def trouble(self) -> str:
        """Why the spool cannot be asked, as of the latest look; empty while all is well.

        Who sends may be waiting for something else meanwhile, and who accepts for somebody who posts.
        """
        return self._looks.trouble

    def start(self) -> None:
        """Look now, and again and again."""
        self._looks.start(POLL_S)

    async def stop(self) -> None:
        """Finish the step under way and take no other."""
        self._is_stopping = True
        await self._looks.stop()

    async def _look(self) -> None:
        for _ in range(STEPS):
            ids = await self._ledger.overdue(self._now(), STEP)
            if ids:
                _ = await together([self._expire(id) for id in ids])  # they share a commit
            if len(ids) < STEP or self._is_stopping:
                return

    async def _expire(self, id: str) -> None:
        try:
            expired = await self._ledger.amend(id, lambda message: expire_overdue(message, self._now()))
        except (NotAllowed, UnknownMessage):
            return  # it was sent, called off, or replayed just now
        self._reporter.report(of(expired))
