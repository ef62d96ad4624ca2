"""Does a thing again and again in the background, one time after the other."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure


class Loop:
    """A LoopingCall that goes on after a fault of ours: of itself it stops at the first."""

    def __init__(
        self,
        step: Callable[[], Coroutine[Deferred[Any], Any, None]],
        *,
        name: str,
        ignored: type[Exception],
        log: Logger,
        clock: IReactorTime,
    ) -> None:
        """What breaks goes to ``log`` under ``name``, unless it is ``ignored``."""
        self._step = step
        self._name = name
        self._ignored = ignored
        self._log = log
        self._loop = LoopingCall(self._begin)
        self._loop.clock = clock
        self._ended: Deferred[LoopingCall] | None = None
        self._under_way: Deferred[None] | None = None
        #: What is ignored, in words, if the latest step ended with it; empty while all is well.
        self.trouble = ""

    def start(self, every_s: float, *, now: bool = True) -> None:
        """Begin ``now`` or in ``every_s`` seconds, and again at most every ``every_s`` seconds."""
        self._ended = self._loop.start(every_s, now=now)

    async def stop(self) -> None:
        """Finish what is under way and begin no more; nothing if it was never started."""
        if self._ended is not None:
            self._loop.stop()
            await self._ended

    async def break_off(self) -> None:
        """Cancel what is under way, which may be long, and begin no more."""
        if self._under_way is not None:
            self._under_way.cancel()
        await self.stop()

    def _begin(self) -> Deferred[None]:
        self._under_way = Deferred.fromCoroutine(self._step())
        return self._under_way.addCallbacks(self._done, self._broke)

    def _done(self, _: None) -> None:
        self.trouble = ""

    def _broke(self, failure: Failure) -> None:
        is_ignored = failure.check(self._ignored) is not None
        self.trouble = str(failure.value) if is_ignored else ""
        if not is_ignored:
            self._log.failure(f"{self._name} broke", failure)
