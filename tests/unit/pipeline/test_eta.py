"""What is told of when messages leave, held to the clock on which they leave."""

import attrs
import pytest
from twisted.internet.defer import Deferred

from smsd.core.outcome import Throttled
from smsd.core.outlook import Outlook
from smsd.core.submission import Submission
from smsd.pipeline.arrival import Arrivals
from smsd.pipeline.ids import Ids
from smsd.pipeline.intake import Intake, Receipt
from tests.messages import ROOM
from tests.unit.pipeline.world import Exchange, World

RATES = [0.2, 1.0, 5.0, 50.0]
#: Seconds that a message has to leave beside a tenth of the way: feeding, and the steps of the clock.
BESIDE_S = 0.02


class Told:
    """A sending half, and what is told of it as messages come in."""

    def __init__(self, rate: float, round_trip_s: float = 0.01, write_s: float = 0.0) -> None:
        exchanges = [Exchange(there_s=0.0, back_s=round_trip_s)]
        self.world = world = World(rate=rate, exchanges=exchanges, writes_s=[write_s])
        now = world.clock.seconds
        self.intake = Intake(
            admit=lambda messages, claim, at: world.spool.append(messages, ROOM, claim),
            outlook=self.outlook,
            idempotency_s=0.0,
            callback_url=lambda name: "",
            new_id=Ids(lambda: 1e9 + now()),
            now=now,
        )
        self.arrivals = Arrivals(ledger=world.spool, outlook=self.outlook, now=now)
        self.etas: list[tuple[str, float, float]] = []  # of which id, when it was told, and what

    def start(self) -> None:
        self.world.throttle.start()
        self.world.start()

    def outlook(self) -> Outlook:
        world = self.world
        waits = {"held_s": world.hold.wait_s, "is_waiting": bool(world.lane.waiting)}
        return world.pacer.outlook(world.throttle.outlook, **waits, ahead_s=world.sender.ahead_s)

    def post(self, recipients: int = 1, in_s: float | None = None, count: int = 1) -> Receipt:
        """Accept ``count`` at once, each to so many, scheduled if ``in_s`` is given; what is told is kept."""
        now = self.world.clock.seconds()
        fields = {"originator": "MB", "message": "x", "recipients": [31600000000 + each for each in range(recipients)]}
        submission = attrs.evolve(Submission.parse(fields, now), send_at=None if in_s is None else now + in_s)
        receipt = Deferred.fromCoroutine(self.intake.accept([submission] * count, "demo")).result
        assert isinstance(receipt, Receipt)
        self.etas.append((receipt.messages[-1].id, now, receipt.eta))
        self.world.feeder.wake()
        return receipt

    def ask(self, receipt: Receipt) -> None:
        """Have it told once more of what was posted."""
        messages = [self.world.found(each.id) for each in receipt.messages]
        arrival = Deferred.fromCoroutine(self.arrivals.of(messages)).result
        if arrival is not None:
            self.etas.append((messages[-1].id, self.world.clock.seconds(), arrival.eta))

    def check(self, beside_s: float = BESIDE_S, share: float = 0.1) -> None:
        """Every message left when it was told that it would."""
        left = {id: at for at, id in self.world.gateway.arrivals}
        for id, at, eta in self.etas:
            took_s, told_s = left[id] - at, eta - at
            assert abs(took_s - told_s) <= share * took_s + beside_s, (id, at, told_s, took_s)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("since_s", [0.0, 0.3, 0.9], ids=["at once", "soon", "late"])
def test_what_comes_right_after_a_start_is_told_of_the_first_span(rate: float, since_s: float) -> None:
    told = Told(rate)
    told.start()
    told.world.pass_time(since_s)
    for _ in range(12):
        told.post()
    told.world.pass_time(20.0 / rate + 3.0)
    told.check()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("idle_s", [7.3, 61.17])
@pytest.mark.parametrize("count", [1, 3, 120])
def test_what_comes_after_a_long_rest_is_told_the_next_tick(rate: float, idle_s: float, count: int) -> None:
    told = Told(rate)
    told.start()
    told.world.pass_time(idle_s)
    told.post(count=count)
    told.post()
    told.world.pass_time(1.1 * (count + 2) / rate + 3.0)
    told.check()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("round_trip_s", [0.01, 0.25])
def test_what_comes_now_and_then_is_told_what_is_on_its_way(rate: float, round_trip_s: float) -> None:
    told = Told(rate, round_trip_s)
    told.start()
    # As far as the round trip is not known, it cannot be reckoned with.
    told.post()
    told.world.pass_time(2.0 / rate + 3.0)
    told.etas.clear()
    for number in range(40):
        receipt = told.post(count=1 + number % 4)
        told.world.pass_time(0.13 + 0.37 * (number % 5) / rate)
        told.ask(receipt)
    told.world.pass_time(2.0 * 100 / rate)
    told.check(BESIDE_S + round_trip_s / rate if rate < 2 else BESIDE_S + 1.0 / rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("idle_s", [0.07, 0.73, 11.31])
def test_what_is_slowly_written_down_is_told_that_too(rate: float, idle_s: float) -> None:
    told = Told(rate, write_s=0.15)
    told.start()
    told.post(count=8)
    told.world.pass_time(10.0 / rate + 3.0)
    told.etas.clear()
    for count in (1, 1, 3, 20):
        told.world.pass_time(idle_s)
        told.post(count=count)
    told.world.pass_time(30.0 / rate + 3.0)
    told.check(BESIDE_S + 0.15)


@pytest.mark.parametrize("since_s", [0.0, 0.05, 0.1, 0.15])
def test_who_has_his_permit_ahead_of_its_time_keeps_nobody_waiting(since_s: float) -> None:
    told = Told(5.0, write_s=0.15)
    told.start()
    told.post(count=3)  # so that it is known how long it takes to write
    told.world.pass_time(9.0 + since_s)
    told.etas.clear()
    told.world.throttle.start()
    for _ in range(4):
        told.post()
    told.world.pass_time(5.0)
    told.check(share=0.0)


def test_a_tick_that_is_due_with_a_permit_is_not_taken_to_be_over() -> None:
    permits = Outlook(pace=5.0, round=5, first_s=0.6, second_s=0.6, last_s=0.6)
    seen = permits.ticked(0.19999, 0.2, held_s=0.0, is_waiting=True)
    waits_s = [seen.wait_s(ahead) for ahead in (0, 1, 2, 5, 6, 7)]
    assert waits_s == pytest.approx([0.6, 0.6, 0.8, 1.6, 1.8, 2.0], abs=0.001)


@pytest.mark.parametrize("rate", RATES)
def test_a_broadcast_is_told_when_its_last_part_leaves(rate: float) -> None:
    told = Told(rate)
    told.start()
    told.world.pass_time(11.0)
    receipts = [told.post(recipients=50 * 7 + 1) for _ in range(2)]
    told.world.pass_time(3.1 / rate)
    for receipt in receipts:
        told.ask(receipt)
    told.world.pass_time(18.0 / rate + 3.0)
    told.check()


@pytest.mark.parametrize("rate", RATES)
def test_what_is_scheduled_is_told_the_tick_at_which_it_leaves(rate: float) -> None:
    told = Told(rate)
    told.start()
    told.world.pass_time(3.0)
    receipt = told.post(in_s=41.3, count=30)
    told.world.pass_time(17.0)
    told.ask(receipt)
    told.world.pass_time(30.0 + 32.0 / rate)
    told.check(0.5 + BESIDE_S)  # the feeder looks twice a second for what has become due


def test_what_is_scheduled_behind_a_backlog_is_told_that_it_waits_for_it() -> None:
    told = Told(10.0)
    told.start()
    told.world.pass_time(3.0)
    told.post(count=150)
    told.ask(told.post(in_s=4.0))
    told.world.pass_time(20.0)
    told.check()


def test_what_waits_while_the_pace_is_eased_off_is_told_that_it_recovers() -> None:
    told = Told(5.0)
    told.start()
    told.world.pass_time(3.0)
    told.world.throttle.ease_off()
    told.world.throttle.ease_off()
    for count in (1, 10, 100, 300):
        told.post(count=count)
    told.world.pass_time(150.0)
    told.check()


def test_what_waits_for_a_probe_is_told_when_that_may_go() -> None:
    told = Told(5.0)
    told.start()
    told.world.pass_time(3.0)
    told.world.hold.note(Throttled(reason="429", retry_after_s=7.0), told.world.clock.seconds())
    told.post(count=3)
    told.world.pass_time(10.0)
    told.check()
