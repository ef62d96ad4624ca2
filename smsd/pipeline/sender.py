"""Takes what is leased to the gateway, one request at a time, and writes down what came of it."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smsd.core.bundle import bundle_name
from smsd.core.doubt import doubt, is_fresh, reconsider
from smsd.core.easing import foreseen
from smsd.core.errors import LeaseLost, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.notice import Measure, Notice, Took, of, unmeasured
from smsd.core.outcome import HeldOff, Outcome, Throttled, Unanswered
from smsd.core.policy import Policy
from smsd.core.settle import begin, expire, settle
from smsd.core.trace import log_fields
from smsd.pipeline.lane import Lane
from smsd.pipeline.together import together
from smsd.ports import IOutbox, IReporter, Lease

#: Seconds between two tries to write down an outcome.
REWRITE_S: Final = 1.0
#: Seconds that an attempt may be written down ahead of its request. What is written down when the process dies is
#: asked for, so it should not be long.
AHEAD_S: Final = 1.0


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
        company: Callable[[Lease], Sequence[Lease]] = lambda lease: [lease],
        clock: IReactorTime,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
        measure: Measure = unmeasured,
    ) -> None:
        """``refill`` is called when a message is due again that goes before those in the window.

        ``company`` gives, of a lease whose turn has come, that lease and those that go in the same request.
        """
        self._outbox = outbox
        self._lane = lane
        self._policy = policy
        self._refill = refill
        self._company = company
        self._clock = clock
        self._now = now
        self._draw = draw
        self._reporter = reporter
        self._measure = measure
        self._stopping = False
        self._drained: Deferred[None] | None = None
        self._taking: Deferred[int] | None = None
        self._writing_s = 0.0  # to write an attempt down, of late

    @property
    def ahead_s(self) -> float:
        """Seconds that a message has its permit before it may go, to be written down meanwhile."""
        return min(AHEAD_S, self._writing_s)

    def takes_another(self) -> bool:
        """Whether its lane takes another message now."""
        return self._lane.takes_another()

    def start(self, *leases: Lease) -> None:
        """Send the messages of ``leases`` in the background, in one request: one, or all of one bundle."""
        self._lane.in_flight += 1
        send = Deferred.fromCoroutine(self._send(leases))
        # The outermost edge: a fault of ours must not stop the daemon. The message stays as it is on disk, at worst
        # sending, and is asked for at the next start.
        first = leases[0].message
        named = {"id": first.id, **log_fields(first.trace)}
        _ = send.addErrback(lambda failure: self._log.failure("message {id}: send broke", failure, **named))
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

    async def _send(self, leases: Sequence[Lease]) -> None:
        permit = await self._permit(leases)
        if permit is None:
            return
        begun: list[Lease] = []
        had_at = self._clock.seconds()
        try:
            begun = await self._begin(leases)
        finally:
            if not begun:  # nothing went out, whatever the reason
                self._lane.throttle.put_back(permit)
        if not begun:
            return
        self._writing_s = foreseen(self._writing_s, self._clock.seconds() - had_at)
        await self._may_go(permit)
        if not self._lane.lets_pass():  # closed since it was written down
            self._lane.throttle.put_back(permit)
            await self._settle_all(begun, [HeldOff(reason=self._lane.hold.reason)] * len(begun))
            self._refill()
            return
        for each in begun:
            self._reporter.report(of(each.message))
        begun_at = self._clock.seconds()
        validities = [each.message.valid_until for each in begun if each.message.valid_until is not None]
        ends = [begun_at + each - self._now() for each in validities]
        by = min(self._lane.throttle.until(permit), *(each.until for each in begun), *ends)
        outcomes = await self._lane.send([each.message for each in begun], by)
        self._lane.answered(outcomes[0], permit, begun_at)  # a request is taken or not: of the others it says the same
        self._turn_back()
        await self._settle_all(begun, outcomes)
        if isinstance(outcomes[0], HeldOff | Throttled):
            self._refill()

    async def _permit(self, leases: Sequence[Lease]) -> int | None:
        self._lane.waiting += 1
        asked_at = self._clock.seconds()
        # Until the attempt is written down the permit will be free: where that takes long it would else cost rate.
        self._taking = Deferred.fromCoroutine(self._lane.throttle.take(self.ahead_s))
        try:
            permit = await self._taking
            self._measure(Took.THROTTLE, [self._clock.seconds() - asked_at])
            return permit
        except CancelledError:  # we are stopping, or all are held
            await self._release(leases)
            return None
        finally:
            self._taking = None
            self._lane.waiting -= 1

    async def _may_go(self, permit: int) -> None:
        while (wait_s := self._lane.throttle.since(permit) - self._clock.seconds()) > 0.0:
            await deferLater(self._clock, wait_s)

    def _turn_back(self) -> None:
        """Have whoever waits for a permit get in line again if the lane has closed meanwhile."""
        # Else it could go out as the first after the wait, before the one that was answered 429.
        if self._taking is not None and not self._lane.lets_pass():
            self._taking.cancel()

    async def _begin(self, leases: Sequence[Lease]) -> list[Lease]:
        """Write down that ``leases``, and what goes with them, are sent; the answer is those that are."""
        if not self._lane.lets_pass():  # closed while we waited for the permit
            await self._release(leases)
            return []
        if len(leases) == 1 and not self._lane.hold.reason:  # else it is a probe, and goes alone
            leases = self._company(leases[0])
        now = self._now()
        steps = self._named([self._step(each.message, now) for each in leases], now)
        pairs = zip(leases, steps, strict=True)
        written = await together(self._write(lease, step) for lease, step in pairs)
        begun = [each for each in written if each is not None and each.message.state is State.SENDING]
        if leases[0].message.state is State.UNCERTAIN and len(begun) < len(leases):
            # Fewer of them would be another request, of which the provider knows nothing.
            unanswered = Unanswered(reason=begun[0].message.error if begun else "", repeatable=False)
            if begun:
                await self._settle_all(begun, [unanswered] * len(begun))
            return []
        return begun

    async def _write(self, lease: Lease, step: Message) -> Lease | None:
        try:
            written = await self._outbox.store(lease, step)
        except LeaseLost:
            return None  # canceled while it waited in the window
        except SpoolUnavailable as error:
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), message=lease.message, detail=str(error)))
            await self._outbox.release(lease)
            return None
        if step.state is not State.SENDING:
            self._reporter.report(of(written.message))
        return written

    async def _release(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            await self._outbox.release(lease)

    def _step(self, message: Message, now: float) -> Message:
        if message.is_repeat and message.gateway != self._lane.name:
            return doubt(message, now)  # the other gateway may have it
        if message.is_repeat and not is_fresh(message, now, self._lane.gateway.trusted_s):
            return reconsider(message, now)
        if message.state is State.UNCERTAIN:
            return begin(message, now, self._lane.name, message.bundle)
        return expire(message, now) if message.is_stale(now) else begin(message, now, self._lane.name)

    def _named(self, steps: list[Message], now: float) -> list[Message]:
        """``steps``, with the name of their request in those that begin to go together."""
        going = {step.id for step in steps if step.state is State.SENDING and not step.bundle}
        if len(going) < 2:
            return steps
        bundle = bundle_name(going, now)
        return [attrs.evolve(step, bundle=bundle) if step.id in going else step for step in steps]

    async def _settle_all(self, begun: Sequence[Lease], outcomes: Sequence[Outcome]) -> None:
        now, draw = self._now(), self._draw()
        settled = [
            settle(each.message, told, now, self._policy, draw) for each, told in zip(begun, outcomes, strict=True)
        ]
        await together(self._settle(each, after) for each, after in zip(begun, settled, strict=True))

    async def _settle(self, lease: Lease, after: Message) -> None:
        while True:
            try:
                settled = await self._outbox.store(lease, after)
            except LeaseLost as lost:
                # We were stopped for longer than the lease. Whoever has it now asks the provider for it.
                self._reporter.report(Notice(what=What.FAULT, at=self._now(), message=after, detail=str(lost)))
                return
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
