"""After a long outage holds what should have gone before it, for an operator's word.

People have asked for it after a night's alarms all arrived at breakfast.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smsd.core.errors import SpoolUnavailable
from smsd.core.message import What
from smsd.core.moment import moment
from smsd.core.notice import Notice
from smsd.pipeline.loop import Loop
from smsd.ports import IOutbox, IReporter

#: Seconds between two beats, at most; a tenth of the time that makes an outage, if that is less.
BEAT_S: Final = 10.0
#: Messages that are held in one step.
STEP: Final = 2000


class Outage:
    """Writes down every few seconds that messages can be sent; when they long could not, holds what is older.

    An outage is the time in which no process runs, or the provider takes nothing.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        outbox: IOutbox,
        stale_s: float,
        can_send: Callable[[], bool],
        give_back: Callable[[], Awaitable[None]],
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """An outage of more than ``stale_s`` seconds counts; ``can_send`` says whether the provider takes messages.

        ``give_back`` ends the leases on what waits to be sent.
        """
        self._outbox = outbox
        self._stale_s = stale_s
        self._can_send = can_send
        self._give_back = give_back
        self._now = now
        self._reporter = reporter
        self._last: float | None = None
        # Of a spool that is not available, whoever sends speaks already.
        self._beats = Loop(
            self._beat, name="looking for an outage", ignored=SpoolUnavailable, log=self._log, clock=clock
        )

    async def start(self) -> None:
        """Returns when what is stale is held: nothing may be leased before. Raises SpoolUnavailable."""
        await self._beat()
        self._beats.start(min(BEAT_S, self._stale_s / 10), now=False)

    async def stop(self) -> None:
        """Write no more down."""
        await self._beats.stop()

    async def _beat(self) -> None:
        now, last = self._now(), self._last
        if self._can_send():
            last = await self._outbox.beat(now)
            self._last = now
        if last is not None and now - last > self._stale_s:
            await self._hold(now - self._stale_s)

    async def _hold(self, before: float) -> None:
        count = 0
        while (held := await self._outbox.hold(before, STEP)) > 0:
            count += held
        if count:
            await self._give_back()
            detail = f"{count} messages that should have gone before {moment(before)} wait for a word: see /held"
            self._reporter.report(Notice(what=What.STALE, at=self._now(), detail=detail))
