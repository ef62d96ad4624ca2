"""The daemon, its spool and its provider on one clock, and the model beside them."""

from collections.abc import Coroutine
from itertools import count
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from smsd.core.errors import SmsdError
from smsd.core.lifecycle import OPEN, State
from smsd.core.message import Message
from smsd.core.query import Query
from smsd.core.report import DeliveryStatus
from tests.messages import NOW
from tests.model.book import Book
from tests.model.engines import InMemory, OnDisk
from tests.model.process import POLICY, Lifetime, Process
from tests.model.provider import Provider
from tests.model.seam import Seam

#: Seconds after which everything has come to its end, with a provider that is well.
ALL_OVER_S: Final = 400.0
#: Seconds that an answer takes at most, reports apart.
PROMPT_S: Final = 1.0
#: States in which the provider has a message.
TAKEN: Final = frozenset({State.SENT, State.DELIVERED, State.UNDELIVERED})


class World:
    """All that there is."""

    def __init__(self, store: InMemory | OnDisk) -> None:
        self.store = store
        self.clock = Clock()
        self.clock.advance(NOW)
        self.provider = Provider(self.clock)
        self.book = Book(forgets_wholly=not store.is_durable)
        self._numbers = count(1)
        self._dead: list[Process] = []  # kept: nothing of them may be cleared up in the middle of something else
        self._faults: list[Exception] = []
        globalLogPublisher.addObserver(self._log)
        self.process = self._begin()

    def close(self) -> None:
        """Let go of files and threads."""
        globalLogPublisher.removeObserver(self._log)
        self.store.close()

    def now(self) -> float:
        return self.clock.seconds()

    def pass_time(self, seconds: float) -> None:
        """Let ``seconds`` pass, from one event to the next."""
        until = self.now() + seconds
        while (calls := self.clock.getDelayedCalls()) and calls[0].getTime() <= until:
            self.clock.advance(max(0.0, calls[0].getTime() - self.now()))
        self.clock.advance(max(0.0, until - self.now()))

    def begun(self, coroutine: Coroutine[Any, Any, Any]) -> list[Any]:
        """Begin ``coroutine``; what it comes to will be in the list: its result, or what it raised."""
        done: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(done.append)
        return done

    def outcome(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What ``coroutine`` comes to: its result, or what it raised of ours."""
        return self.settled(self.begun(coroutine))

    def settled(self, done: list[Any], within_s: float = PROMPT_S) -> Any:
        """Let time pass until ``done`` is; what was raised of ours is an outcome as well."""
        until = self.now() + within_s
        while not done:
            at = self.clock.getDelayedCalls()[0].getTime()
            assert at <= until, "it takes too long"
            self.clock.advance(max(0.0, at - self.now()))
        if isinstance(done[0], Failure):
            done[0].trap(SmsdError)
            return done[0].value
        return done[0]

    def read(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What the engine itself answers, in no time."""
        return self.store.threads.result(coroutine)

    def crash(self) -> None:
        """Kill the process and start another over what is left."""
        self.process.die()
        self._dead.append(self.process)
        self.store.crash()
        self.book.process_died()
        if not self.store.is_durable:
            self.book = Book(forgets_wholly=True)
        self.process = self._begin()

    def _log(self, event: LogEvent) -> None:
        if (failure := event.get("log_failure")) is not None:
            self._faults.append(failure.value)  # a fault of ours that the daemon itself survives

    def _begin(self) -> Process:
        clock = Lifetime(self.clock)
        seam = Seam(self.store.engine, self.store.threads, clock, self.book)
        new_id = lambda: f"{next(self._numbers):026}"  # noqa: E731
        return Process(clock=clock, seam=seam, provider=self.provider, new_id=new_id)

    def check(self) -> None:
        """Whether the engine and the model agree, and with the provider."""
        engine, messages = self.store.engine, list(self.book.messages.values())
        for fault in (*self.book.wrong, *self._faults):
            raise fault
        assert self.process.trouble() == []
        assert list(reversed(self.read(engine.search(Query(limit=1000))).messages)) == messages
        counted = {state: sum(1 for each in messages if each.state is state) for state in State}
        assert self.read(engine.standing()).states == counted
        for message in self.book.queued()[-5:]:
            place, expected = self.read(engine.ahead(message.id)), self.book.ahead(message)
            ahead = None if place is None else place.first if message in self.book.in_line() else place.then
            if self.book.is_taken(message):  # it goes within the second: which of the window it is, nobody promises
                assert ahead is not None
                assert ahead < len(self.book.in_line()) + self.book.strays()
            elif ahead != expected:
                # One that came back is older than what left in its place, and one that is held may be leased still:
                # who only counts cannot tell them apart. Nor does the model know whose turn was last.
                assert ahead is not None
                assert expected is not None
                at_least = expected - self.book.younger(message) - self.book.rivals(message)
                assert at_least <= ahead <= expected + self.book.strays()
        assert max(self.provider.stored.values(), default=0) <= 1, "never twice"
        for message in messages:
            self._check_life(message)

    def _check_life(self, message: Message) -> None:
        if self.provider.stored[message.id]:
            assert message.state in TAKEN | {State.SENDING, State.UNCERTAIN}, "never forgotten that they have it"
        else:
            assert message.state not in TAKEN, "never called sent without being sent"
        if message.state is State.DEAD:
            assert self.provider.refused[message.id] or message.attempts == POLICY.attempts
        statuses = {each.status for each in message.deliveries}
        if message.state is State.DELIVERED and message.body:
            assert statuses == {DeliveryStatus.DELIVERED}
            assert len(message.deliveries) == len(message.recipients)

    def finish(self) -> None:
        """Let everything come to its end: nothing is lost, nothing is left, nothing went twice."""
        self.provider.fates.clear()
        self.provider.silent_lookups = 0
        self.provider.back_s = 0.02
        until = self.now() + ALL_OVER_S
        while left := [each for each in self.book.messages.values() if each.state in OPEN]:
            self.check()
            assert self.now() < until, f"these never end: {left}"
            self.outcome(self.process.operations.send_held(0.0))
            self.pass_time(5.0)
        self.check()
