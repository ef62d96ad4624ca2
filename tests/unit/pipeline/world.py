"""A sending half on a pumped clock, with a provider whose delays are given."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer
from zope.interface.verify import verifyObject

from smsd.core.message import Message
from smsd.core.notice import Notice
from smsd.core.outcome import Accepted, LookupFailed, LookupResult, NotFound, Outcome, Refused
from smsd.core.policy import Policy
from smsd.core.report import Report
from smsd.core.retry import Backoff
from smsd.gateway.bird_answers import unnamed
from smsd.pipeline.asking import Asking
from smsd.pipeline.company import company
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.hold import Hold
from smsd.pipeline.lane import Lane
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.sender import Sender
from smsd.pipeline.throttle import PermitThrottle
from smsd.pipeline.window import Window
from smsd.ports import IBundler, IGateway, IReporter, Lease
from smsd.spool.memory import MemorySpool
from tests.messages import ROOM, message


@implementer(IReporter)
class Notebook:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def report(self, notice: Notice) -> None:
        self.notices.append(notice)


@attrs.define
class Exchange:
    """How one request to the provider goes."""

    there_s: float  #: seconds until it arrives
    back_s: float  #: seconds from there until the answer is in
    outcome: Outcome = attrs.field(factory=lambda: Accepted(provider_id="p"))


@implementer(IGateway, IBundler)
class TimedGateway:
    """A provider at a distance, on the clock of the test."""

    carries = 100

    def __init__(self, clock: Clock, exchanges: Iterable[Exchange]) -> None:
        self.repeatable_s = 0.0
        self.trusted_s = math.inf
        self._clock = clock
        self._exchanges: Iterator[Exchange] = cycle(exchanges)
        self.arrivals: list[tuple[float, str]] = []
        self.bundles: list[tuple[str, list[str]]] = []  # by name, with the ids in the order that they came in
        self.always: dict[str, Outcome] = {}  # what some messages come to, whichever exchange is theirs
        self.refused: set[str] = set()  # what is refused, and all that is in one request with it, nobody says for whose
        self.lookup_s = 0.0  # seconds that a lookup takes
        self.lookups: Iterator[LookupResult] = cycle([NotFound()])
        self.asks: list[tuple[float, str]] = []
        self.tellings: Iterator[tuple[Report, ...] | LookupFailed] = cycle([()])

    async def send(self, message: Message, by: float = math.inf) -> Outcome:
        outcome = await self._request(message)
        return Refused(reason="422") if message.id in self.refused else self.always.get(message.id, outcome)

    async def _request(self, message: Message) -> Outcome:
        exchange = next(self._exchanges)
        await deferLater(self._clock, exchange.there_s)
        self.arrivals.append((self._clock.seconds(), message.id))
        await deferLater(self._clock, exchange.back_s)
        return exchange.outcome

    async def send_together(self, messages: Sequence[Message], by: float = math.inf) -> Sequence[Outcome]:
        self.bundles.append((messages[0].bundle, [message.id for message in messages]))
        outcome = await self._request(messages[0])
        if self.refused & {message.id for message in messages}:
            return unnamed("422", len(messages))
        return [self.always.get(message.id, outcome) for message in messages]

    async def lookup(self, message: Message) -> LookupResult:
        await deferLater(self._clock, self.lookup_s)
        return next(self.lookups)

    async def reports(self, message: Message) -> tuple[Report, ...] | LookupFailed:
        self.asks.append((self._clock.seconds(), message.id))
        await deferLater(self._clock, self.lookup_s)
        return next(self.tellings)


class SlowSpool(MemorySpool):
    """A spool to which each write takes so long."""

    def __init__(self, clock: Clock, writes_s: Iterable[float]) -> None:
        super().__init__(limit=1_000_000)
        self._clock = clock
        self._writes_s = cycle(writes_s)

    async def store(self, lease: Lease, after: Message) -> Lease:
        await deferLater(self._clock, next(self._writes_s))
        return await super().store(lease, after)


class World:
    """The sending half of the daemon over the memory engine."""

    def __init__(
        self,
        *,
        rate: float,
        exchanges: Iterable[Exchange],
        attempts: int = 0,
        spool: MemorySpool | None = None,
        writes_s: Iterable[float] = (),
        bundles: bool = False,
        coalesces: bool = False,
    ) -> None:
        """The provider takes several in one request if it ``bundles``; all that wait go so if it ``coalesces``.

        Writing a message down takes the next of ``writes_s``; if there are none, no time.
        """
        self.clock = clock = Clock()
        slow = SlowSpool(clock, writes_s) if writes_s else None
        self.spool = spool or slow or MemorySpool(limit=1_000_000)
        self.spool.open()
        self.notebook = Notebook()
        self.gateway = TimedGateway(clock, exchanges)
        verifyObject(IGateway, self.gateway)
        policy = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0), attempts=attempts)
        told = {"clock": clock, "now": clock.seconds, "reporter": self.notebook}
        self.hold = Hold(backoff=policy.backoff, **told)
        self.throttle = PermitThrottle(rate=rate, clock=clock)
        self.window = Window()
        bundler = self.gateway if bundles or coalesces else None
        self.lane = lane = Lane(
            name="test", gateway=self.gateway, bundler=bundler, throttle=self.throttle, hold=self.hold
        )
        self.feeder = Feeder(outbox=self.spool, window=self.window, rate=rate, fills=coalesces, **told)
        refill, wake = self.feeder.refill, self.feeder.wake
        self.sender = Sender(
            outbox=self.spool,
            lane=lane,
            policy=policy,
            refill=refill,
            company=company(lane, window=self.window, of_all=coalesces, wake=wake),
            draw=lambda: 0.5,
            **told,
        )
        self.pacer = Pacer(rate=rate, window=self.window, sender=self.sender, wake=wake, clock=clock)
        lanes = {lane.name: lane}
        self.recovery = Recovery(
            outbox=self.spool,
            lanes=lanes,
            senders={lane.name: self.sender},
            policy=policy,
            wake=wake,
            draw=lambda: 0.5,
            **told,
        )
        self.asking = Asking(outbox=self.spool, ledger=self.spool, lanes=lanes, **told)
        self._count = 0

    def start(self) -> None:
        self.feeder.start()
        self.pacer.start()
        self.recovery.start()
        self.asking.start()

    def post(self, count: int = 1, **changed: object) -> list[str]:
        """Accept ``count`` messages now; answers their ids."""
        ids = [f"m{self._count + n:06}" for n in range(count)]
        self._count += count
        kept = Deferred.fromCoroutine(self.spool.append([message(id, **changed) for id in ids], ROOM))
        assert kept.called
        self.feeder.wake()
        return ids

    def pass_time(self, seconds: float, step_s: float = 0.005) -> None:
        self.clock.pump([step_s] * round(seconds / step_s))

    def found(self, id: str) -> Message:
        found: list[Message] = []
        Deferred.fromCoroutine(self.spool.find(id)).addCallback(found.append)
        return found[0]

    def arrival_times(self) -> list[float]:
        return [at for at, _ in self.gateway.arrivals]


def most_within(times: list[float], span_s: float) -> int:
    """The largest number of ``times`` within any half-open span of ``span_s`` seconds."""
    ordered = sorted(times)
    return max((sum(1 for other in ordered if at <= other < at + span_s - 1e-9) for at in ordered), default=0)
