"""Runs a gateway's blocking calls in threads of its own: sends in some, lookups in a few others."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

#: Lookups at a time; they have threads of their own so that they never delay a send.
LOOKUP_THREADS: Final = 2
#: Seconds between two lookups: MessageBird allows 50 GET a second, and a person may want some of them.
LOOKUP_SPACING_S: Final = 0.025


class IGatewayReactor(IReactorThreads, IReactorTime):
    """What a gateway needs of a reactor."""


class Closed(Exception):
    """The gateway takes no call, or takes none any more."""


class Pools:
    """Two pools, so that no lookup ever delays a send; ``monotonic`` gives monotonic seconds."""

    def __init__(
        self,
        *,
        name: str,
        threads: int,
        reactor: IGatewayReactor,
        monotonic: Callable[[], float],
        disconnect: Callable[[], None],
    ) -> None:
        """``threads`` is for the sends; what shows of them in a debugger begins with ``name``.

        ``disconnect`` is called once at the end, in a thread, when no call is under way any more.
        """
        self._reactor: Final = reactor
        self._monotonic = monotonic
        self._disconnect = disconnect
        self._sends = ThreadPool(minthreads=0, maxthreads=threads, name=f"{name}-send")
        self._lookups = ThreadPool(minthreads=0, maxthreads=LOOKUP_THREADS, name=f"{name}-lookup")
        self._asking = DeferredSemaphore(LOOKUP_THREADS)
        self._next_lookup_at = monotonic()
        self._open = False

    def start(self) -> None:
        """Open for calls."""
        self._sends.start()
        self._lookups.start()
        self._open = True

    async def close(self) -> None:
        """Take no more, and wait for the calls under way. May be repeated."""
        if self._open:
            self._open = False
            turns = [await self._asking.acquire() for _ in range(LOOKUP_THREADS)]
            for turn in turns:  # all were ours at once, so no lookup is under way
                turn.release()
            await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._stop)

    async def send(self, call: Callable[..., Any], *given: Any) -> Any:
        """What ``call(*given)`` returns, from a thread for sends. Raises Closed."""
        if not self._open:
            raise Closed
        return await deferToThreadPool(self._reactor, self._sends, call, *given)

    async def look(self, call: Callable[..., Any], *given: Any) -> Any:
        """What ``call(*given)`` returns, from a thread for lookups, not too soon after the last one. Raises Closed."""
        await self._asking.acquire()
        try:
            if self._open:
                await self._spaced()
            if not self._open:  # it may have been closed meanwhile
                raise Closed
            return await deferToThreadPool(self._reactor, self._lookups, call, *given)
        finally:
            self._asking.release()

    async def _spaced(self) -> None:
        now = self._monotonic()
        at = max(now, self._next_lookup_at)
        self._next_lookup_at = at + LOOKUP_SPACING_S
        await deferLater(self._reactor, at - now)

    def _stop(self) -> None:
        self._sends.stop()
        self._lookups.stop()
        self._disconnect()
