"""Settles messages of which nobody knows whether they were sent: by a repeat that is known for one, or by asking."""

from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.interfaces import IReactorTime

from smsd.core.doubt import clear_up, is_repeatable, is_within, repeat
from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import of
from smsd.core.outcome import Found, LookupFailed, LookupResult, NotFound
from smsd.core.policy import Policy
from smsd.pipeline.gathering import Gathering, Sending
from smsd.pipeline.lane import Lane, gateway_of
from smsd.pipeline.rounds import Rounds
from smsd.ports import IOutbox, IReporter, Lease

#: Seconds between two looks for uncertain messages.
POLL_S: Final = 0.5
#: Messages leased in one look; they are asked for one after the other.
BATCH: Final = 100


class Recovery:
    """Works through what is uncertain, in the background and one by one; the sends never wait for it."""

    def __init__(
        self,
        *,
        outbox: IOutbox,
        lanes: Mapping[str, Lane],
        senders: Mapping[str, Sending],
        policy: Policy,
        wake: Callable[[], None],
        clock: IReactorTime,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``lanes`` and ``senders`` go by their names; ``wake`` is called when a message is queued again."""
        self._outbox = outbox
        self._lanes = lanes
        self._policy = policy
        self._wake = wake
        self._now = now
        self._reporter = reporter
        self._clock = clock
        self._draw = draw
        self._gathering = Gathering(outbox=outbox, lanes=lanes, senders=senders, policy=policy, clock=clock, now=now)
        self._rounds = Rounds(
            take=self._take,
            work=self._settle,
            every_s=POLL_S,
            outbox=outbox,
            clock=clock,
            now=now,
            reporter=reporter,
        )
        #: By message id: the monotonic time at which this process first saw it uncertain.
        self._since: dict[str, float] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no message is asked for."""
        return not self._since

    def start(self) -> None:
        """Look now, and again and again."""
        self._rounds.start()

    async def stop(self) -> None:
        """Break off the lookup under way, which may be long, and begin no other."""
        await self._rounds.stop()
        await self._gathering.stop()

    async def _take(self) -> list[Lease]:
        # What is being sent by nobody was left by a sender that died: the process before this one, or another node.
        await self._outbox.recover(self._now())
        await self._gathering.go_on()
        leases = await self._outbox.lease(self._now(), BATCH, State.UNCERTAIN)
        for lease in leases:
            if lease.message.bundle:
                self._gathering.add(lease)
        return [lease for lease in leases if not lease.message.bundle]

    async def _settle(self, lease: Lease) -> None:
        message, lane, now = lease.message, self._lanes.get(lease.message.gateway), self._now()
        if lane is None or not is_repeatable(message, now, self._policy, lane.gateway.repeatable_s):
            after = await self._asked(message)
        elif is_within(message, now, lane.gateway.trusted_s):
            after = await self._repeated(message)
        else:
            after = await self._asked(message, is_same=True)
        try:
            stored = await self._outbox.store(lease, after)
        except LeaseLost:
            self._since.pop(message.id, None)
            return  # somebody else has settled it
        if after.state is not State.UNCERTAIN:
            self._since.pop(message.id, None)
            self._reporter.report(of(stored.message))
            self._wake()

    async def _repeated(self, message: Message) -> Message:
        result = await self._lookup(message) if message.asks_first else NotFound()
        if isinstance(result, Found):
            return clear_up(message, result, self._now(), self._policy, doubted_s=0.0, draw=0.0)
        # Not found, or cannot be told: it is sent under the same key, which is as good as waiting for the list.
        return repeat(message, self._now(), self._policy, self._draw())

    async def _asked(self, message: Message, *, is_same: bool = False) -> Message:
        # Both by the monotonic clock: a wall clock that is set must neither shorten nor stretch the grace time. And
        # as of the question: an answer that took long tells of the moment at which it was put.
        since = self._since.setdefault(message.id, self._clock.seconds())
        doubted_s = self._clock.seconds() - since
        result = await self._lookup(message)
        more = {"doubted_s": doubted_s, "draw": self._draw()}
        stays = message.gateway in self._lanes and len(self._lanes) > 1
        return clear_up(message, result, self._now(), self._policy, **more, is_same=is_same, stays=stays)

    async def _lookup(self, message: Message) -> LookupResult:
        gateway = gateway_of(message, self._lanes)
        return gateway if isinstance(gateway, LookupFailed) else await gateway.lookup(message)
