"""Takes one leased message to the gateway and writes down what came of it."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smsd.core.errors import LeaseLost, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.notice import Measure, Notice, Took, of, unmeasured
from smsd.core.outcome import HeldOff, Throttled
from smsd.core.settle import Policy, begin, doubt, expire, settle
from smsd.pipeline.lane import Lane
from smsd.ports import IOutbox, IReporter, Lease

#: Seconds between two tries to write down an outcome.
REWRITE_S: Final = 1.0


class Sender:
    """Sends on one lane, each in its own coroutine; the outcome is durable before anybody is told."""

    _log = Logger()

    def __init__(
        self,
        *,
        outbox: IOutbox,
        lane: Lane,
        policy: Policy,
        refill: Callable[[], None],
        clock: IReactorTime,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
        measure: Measure = unmeasured,
    ) -> None:
        """``refill`` is called when a message is due again that goes before those in the window."""
        self._outbox = outbox
        self._lane = lane
        self._policy = policy
        self._refill = refill
        self._clock = clock
        self._now = now
        self._draw = draw
        self._reporter = reporter
        self._measure = measure
        self._stopping = False
        self._drained: Deferred[None] | None = None
        self._taking: Deferred[int] | None = None

    def takes_another(self) -> bool:
        """Whether its lane takes another message now."""
        return self._lane.takes_another()

    def start(self, lease: Lease) -> None:
        """Send ``lease``'s message in the background."""
        self._lane.in_flight += 1
        send = Deferred.fromCoroutine(self._send(lease))
        # The outermost edge: a fault of ours must not stop the daemon. The message stays as it is on disk, at worst
        # sending, and is asked for at the next start.
        _ = send.addErrback(lambda failure: self._log.failure("message {id}: send broke", failure, id=lease.message.id))
        _ = send.addCallback(self._ended)

    async def drain(self) -> None:
        """Wait until every send that was begun is settled, or cannot be: then it is uncertain at the next start."""
        self._stopping = True
        if self._lane.in_flight:
            self._drained = Deferred()
            await self._drained

    def _ended(self, _: None) -> None:
        self._lane.in_flight -= 1
        if self._drained is not None and not self._lane.in_flight:
            self._drained.callback(None)

    async def _send(self, lease: Lease) -> None:
        permit = await self._permit(lease)
        if permit is None:
            return
        begun = None
        try:
            begun = await self._begin(lease)
        finally:
            if begun is None:  # nothing went out, whatever the reason
                self._lane.throttle.put_back(permit)
        if begun is None:
            return
        self._reporter.report(of(begun.message))
        begun_at = self._clock.seconds()
        by = min(begun.until, self._lane.throttle.until(permit))
        outcome = await self._lane.gateway.send(begun.message, by)
        self._lane.answered(outcome, permit, begun_at)
        self._turn_back()
        await self._settle(begun, settle(begun.message, outcome, self._now(), self._policy, self._draw()))
        if isinstance(outcome, HeldOff | Throttled):
            self._refill()

    async def _permit(self, lease: Lease) -> int | None:
        self._lane.waiting += 1
        asked_at = self._clock.seconds()
        self._taking = Deferred.fromCoroutine(self._lane.throttle.take())
        try:
            permit = await self._taking
            self._measure(Took.THROTTLE, self._clock.seconds() - asked_at)
            return permit
        except CancelledError:  # we are stopping, or all are held
            await self._outbox.release(lease)
            return None
        finally:
            self._taking = None
            self._lane.waiting -= 1

    def _turn_back(self) -> None:
        """Have whoever waits for a permit get in line again if the lane has closed meanwhile."""
        # Else it could go out as the first after the wait, before the one that was answered 429.
        if self._taking is not None and not self._lane.lets_pass():
            self._taking.cancel()

    async def _begin(self, lease: Lease) -> Lease | None:
        now = self._now()
        if not self._lane.lets_pass():  # closed while we waited for the permit
            await self._outbox.release(lease)
            return None
        step = self._step(lease.message, now)
        try:
            written = await self._outbox.store(lease, step)
        except LeaseLost:
            return None  # canceled while it waited in the window
        except SpoolUnavailable as error:
            self._reporter.report(Notice(what=What.FAULT, at=now, message=lease.message, detail=str(error)))
            await self._outbox.release(lease)
            return None
        if step.state is State.SENDING:
            return written
        self._reporter.report(of(written.message))
        return None

    def _step(self, message: Message, now: float) -> Message:
        if message.is_repeat and message.gateway != self._lane.name:
            return doubt(message, now)  # the other gateway may have it
        return expire(message, now) if message.is_stale(now) else begin(message, now, self._lane.name)

    async def _settle(self, lease: Lease, after: Message) -> None:
        while True:
            try:
                settled = await self._outbox.store(lease, after)
            except SpoolUnavailable as error:
                # The provider has answered: only the note is missing. Until it is written, the lease is kept.
                self._reporter.report(Notice(what=What.FAULT, at=self._now(), message=after, detail=str(error)))
                if self._stopping:
                    return
                await deferLater(self._clock, REWRITE_S)
            else:
                # Settle before notifying: a repeated notice is harmless, a lost one is not.
                self._reporter.report(of(settled.message))
                return
