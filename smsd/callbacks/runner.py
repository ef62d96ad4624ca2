"""Works through the queue of callbacks, in the background, until each receiver has its own or a day is over."""

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smsd.callbacks.lanes import Lanes
from smsd.core.callback import Answered, Callback, Failed, Gone, settle_callback
from smsd.core.errors import SpoolUnavailable
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.receiver import host_of, origin_of
from smsd.core.retry import Backoff
from smsd.core.trace import log_fields
from smsd.ports import ICallbackQueue, IReporter

#: Seconds between two looks for what is due; a change of state is looked for at once.
POLL_S: Final = 1.0
#: Seconds for which a taken callback is ours alone: longer than any post, and soon over after a crash.
OURS_S: Final = 60.0
#: Posts at a time, and of those for one host.
TOTAL: Final = 40
PER_HOST: Final = 4
#: Waits between two tries of one callback.
BACKOFF: Final = Backoff(base_s=5.0, cap_s=3600.0)


@implementer(IReporter)
class CallbackRunner:
    """Posts what is due, a few at a time, and takes notices as a sign that more may be."""

    _log = Logger()

    def __init__(
        self,
        *,
        queue: ICallbackQueue,
        post: Callable[[Callback], Awaitable[Answered]],
        clock: IReactorTime,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        self._queue = queue
        self._post = post
        self._now = now
        self._draw = draw
        self._reporter = reporter
        self._lanes = Lanes(total=TOTAL, per_host=PER_HOST)
        self._under_way: dict[str, Deferred[None]] = {}
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self._missed = False
        self._looking = False

    def start(self) -> None:
        """Look now, and again and again."""
        _ = self._loop.start(POLL_S)

    def report(self, notice: Notice) -> None:
        """Look at once if ``notice`` is of something that a receiver is owed."""
        if notice.message is not None and notice.message.callback_url:
            self.wake()

    def wake(self) -> None:
        """Look now. Does not wait."""
        if self._loop.running:
            _ = self._look()

    async def stop(self) -> None:
        """Break off what is under way; it is due again at the next start."""
        self._loop.stop()
        self._lanes.close()
        posts = list(self._under_way.values())
        for post in posts:
            post.cancel()
        await DeferredList(posts)

    def _look(self) -> Deferred[None]:
        if self._looking:
            self._missed = True
            return succeed(None)
        self._looking = True
        looking = Deferred.fromCoroutine(self._take())
        # A fault of ours must not end the looking: a LoopingCall stops at the first failure.
        return looking.addErrback(lambda failure: self._log.failure("posting callbacks broke", failure))

    async def _take(self) -> None:
        try:
            while self._loop.running:
                self._missed = False
                now, room = self._now(), TOTAL - len(self._under_way)
                if room <= 0:
                    return  # the end of each post looks again
                full = self._lanes.full_hosts
                for callback in await self._queue.take_callbacks(now, now + OURS_S, room, PER_HOST, full):
                    self._begin(callback)
                if not self._missed:
                    return
        except SpoolUnavailable as error:
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), detail=str(error)))
        finally:
            self._looking = False

    def _begin(self, callback: Callback) -> None:
        if callback.id in self._under_way:
            return  # it has waited so long for its lane that it came again
        post = Deferred.fromCoroutine(self._lanes.run(origin_of(callback.url), lambda: self._try(callback)))
        self._under_way[callback.id] = post
        _ = post.addErrback(self._broke, callback)
        _ = post.addBoth(lambda _: self._ended(callback))

    def _broke(self, failure: Failure, callback: Callback) -> None:
        # In every case it comes again, once it is no longer ours alone.
        if failure.check(SpoolUnavailable):
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), detail=str(failure.value)))
        elif not failure.check(CancelledError):
            self._log.failure("callback {id} broke", failure, id=callback.id, **log_fields(callback.trace))

    def _ended(self, callback: Callback) -> None:
        del self._under_way[callback.id]
        self.wake()

    async def _try(self, callback: Callback) -> None:
        try:
            answered = await self._post(callback)
        except CancelledError:
            await self._queue.settle_callback(callback, callback)  # due again at once, for the next process
            raise
        now = self._now()
        if isinstance(answered, Gone):
            await self._queue.silence(callback.message_id)
        after = settle_callback(callback, answered, now, BACKOFF, self._draw())
        await self._queue.settle_callback(callback, after)
        if isinstance(answered, Failed):
            self._tell(callback, answered, after, now)

    def _tell(self, callback: Callback, failed: Failed, after: Callback | None, now: float) -> None:
        host = host_of(callback.url)
        next_try = "given up" if after is None else f"again in {after.not_before - now:.0f} s"
        detail = f"callback {callback.id} to {host}: {failed.reason}; {next_try}"
        self._reporter.report(Notice(what=What.CALLBACK_FAILED, at=now, detail=detail))
