"""Settles messages of which nobody knows whether they were sent, by asking the provider."""

from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.core.errors import LeaseLost, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.notice import Notice, of
from smsd.core.outcome import LookupFailed, LookupResult
from smsd.core.settle import Policy, clear_up
from smsd.pipeline.lane import Lane
from smsd.ports import IOutbox, IReporter, Lease

#: Seconds between two looks for uncertain messages.
POLL_S: Final = 0.5
#: Messages leased in one look; they are asked for one after the other.
BATCH: Final = 20


class Recovery:
    """Works through what is uncertain, in the background and one by one; the sends never wait for it."""

    _log = Logger()

    def __init__(
        self,
        *,
        outbox: IOutbox,
        lanes: Mapping[str, Lane],
        policy: Policy,
        wake: Callable[[], None],
        clock: IReactorTime,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``lanes`` go by their names; ``wake`` is called when a message is queued again."""
        self._outbox = outbox
        self._lanes = lanes
        self._policy = policy
        self._wake = wake
        self._now = now
        self._reporter = reporter
        self._loop = LoopingCall(self._look)
        self._loop.clock = self._clock = clock
        self._draw = draw
        self._ended: Deferred[LoopingCall] | None = None
        self._looking: Deferred[None] | None = None
        self._recovered = False
        #: By message id: the monotonic time at which this process first saw it uncertain.
        self._since: dict[str, float] = {}

    def start(self) -> None:
        """Look now, and again and again."""
        self._ended = self._loop.start(POLL_S)

    async def stop(self) -> None:
        """Break off the lookup under way, which may be long, and begin no other."""
        if self._ended is not None:
            self._loop.stop()
            if self._looking is not None:
                self._looking.cancel()
            await self._ended

    def _look(self) -> Deferred[None]:
        self._looking = Deferred.fromCoroutine(self._clear())
        # A fault of ours must not end the looking: a LoopingCall stops at the first failure.
        return self._looking.addErrback(self._broke)

    def _broke(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._log.failure("asking for uncertain messages broke", failure)

    async def _clear(self) -> None:
        leases: list[Lease] = []
        try:
            if not self._recovered:
                # Ours is the only sender here: what is being sent by nobody of ours was left by one that died.
                await self._outbox.recover(self._now())
                self._recovered = True
            leases = await self._outbox.lease(self._now(), BATCH, State.UNCERTAIN)
            while leases:
                await self._ask(leases[0])
                leases.pop(0)
        except SpoolUnavailable as error:
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), detail=str(error)))
        finally:
            for lease in leases:  # what was not settled is for the next look
                await self._outbox.release(lease)

    async def _ask(self, lease: Lease) -> None:
        # Both by the monotonic clock: a wall clock that is set must neither shorten nor stretch the grace time. And
        # as of the question: an answer that took long tells of the moment at which it was put.
        since = self._since.setdefault(lease.message.id, self._clock.seconds())
        doubted_s = self._clock.seconds() - since
        result = await self._lookup(lease.message)
        after = clear_up(lease.message, result, self._now(), self._policy, doubted_s=doubted_s, draw=self._draw())
        try:
            stored = await self._outbox.store(lease, after)
        except LeaseLost:
            self._since.pop(lease.message.id, None)
            return  # somebody else has settled it
        if after.state is not State.UNCERTAIN:
            self._since.pop(lease.message.id, None)
            self._reporter.report(of(stored.message))
            self._wake()

    async def _lookup(self, message: Message) -> LookupResult:
        # Another provider's "not found" would say nothing.
        lane = self._lanes.get(message.gateway)
        if lane is None:
            return LookupFailed(reason=f"the gateway {message.gateway}, which may have it, is not set up")
        return await lane.gateway.lookup(message)
