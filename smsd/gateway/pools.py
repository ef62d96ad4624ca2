"""Runs a gateway's blocking calls in threads of its own: sends in some, lookups in a few others."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

#: Lookups at a time; they have threads of their own so that they never delay a send.
LOOKUP_THREADS: Final = 2
#: Seconds between two lookups: MessageBird allows 50 GET a second, and a person may want some of them.
LOOKUP_SPACING_S: Final = 0.025


class IGatewayReactor(IReactorThreads, IReactorTime):
    """What a gateway needs of a reactor."""


class Closed(Exception):
    """The gateway takes no call, or takes none any more."""


class Pools:
    """Two pools, so that no lookup ever delays a send; ``monotonic`` gives monotonic seconds.

    Python's own: to hand a call to one of Twisted's takes several times as long, with locks and contexts.
    """

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
        self._sends = ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-send")
        self._lookups = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix=f"{name}-lookup")
        self._asking = DeferredSemaphore(LOOKUP_THREADS)
        self._next_lookup_at = monotonic()
        self._open = False

    def start(self) -> None:
        """Open for calls."""
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
        return await self._in(self._sends, call, *given)

    async def look(self, call: Callable[..., Any], *given: Any) -> Any:
        """What ``call(*given)`` returns, from a thread for lookups, not too soon after the last one. Raises Closed."""
        await self._asking.acquire()
        try:
            if self._open:
                await self._spaced()
            if not self._open:  # it may have been closed meanwhile
                raise Closed
            return await self._in(self._lookups, call, *given)
        finally:
            self._asking.release()

    def _in(self, threads: ThreadPoolExecutor, call: Callable[..., Any], *given: Any) -> Deferred[Any]:
        answered: Deferred[Any] = Deferred()
        under_way = threads.submit(call, *given)
        under_way.add_done_callback(lambda done: self._reactor.callFromThread(_pass_on, done, answered))
        return answered

    async def _spaced(self) -> None:
        now = self._monotonic()
        at = max(now, self._next_lookup_at)
        self._next_lookup_at = at + LOOKUP_SPACING_S
        await deferLater(self._reactor, at - now)

    def _stop(self) -> None:
        self._sends.shutdown()
        self._lookups.shutdown()
        self._disconnect()


def _pass_on(done: Future[Any], answered: Deferred[Any]) -> None:
    error = done.exception()
    if error is None:
        answered.callback(done.result())
    else:
        answered.errback(error)
