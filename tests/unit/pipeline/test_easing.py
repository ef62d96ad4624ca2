import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from smsd.core.outcome import Accepted, Outcome, Throttled
from smsd.pipeline.throttle import PermitThrottle
from tests.unit.pipeline.world import Exchange, World, most_within

DELAYS = st.floats(0.0, 1.5, allow_nan=False).map(lambda s: round(s, 3))
OUTCOMES: list[Outcome] = [
    Accepted(provider_id="p"),
    Throttled(reason="429", retry_after_s=0.0),
    Throttled(reason="429"),
]
EXCHANGES = st.lists(st.builds(Exchange, DELAYS, DELAYS, st.sampled_from(OUTCOMES)), min_size=1, max_size=8)


class Busy:
    """A throttle that is asked for permits without pause, for requests of a given length."""

    def __init__(self, rate: float, round_trip_s: float) -> None:
        self.clock = Clock()
        self.throttle = PermitThrottle(rate=rate, clock=self.clock)
        self.round_trip_s = round_trip_s
        self.taken: list[float] = []
        self._ask()

    def _ask(self) -> None:
        _ = Deferred.fromCoroutine(self.throttle.take()).addCallback(self._got)

    def _got(self, permit: int) -> None:
        self.taken.append(self.clock.seconds())
        self.clock.callLater(self.round_trip_s, self.throttle.give_back, permit)
        self.clock.callLater(0.0, self._ask)

    def taken_in(self, seconds: float) -> int:
        """How many permits are taken in the next ``seconds``."""
        before = len(self.taken)
        self.clock.pump([0.01] * round(seconds / 0.01))
        return len(self.taken) - before


@settings(deadline=None, max_examples=60)
@given(rate=st.sampled_from([0.5, 1.0, 2.5, 5.0]), exchanges=EXCHANGES, pauses=st.lists(DELAYS, max_size=4))
def test_no_span_holds_more_than_the_rate_however_the_pace_eases_and_recovers(
    rate: float, exchanges: list[Exchange], pauses: list[float]
) -> None:
    world = World(rate=rate, exchanges=exchanges)
    world.post(200)
    world.start()
    for pause_s in pauses:
        world.pass_time(pause_s)
        world.throttle.ease_off()
    world.pass_time(25.0, step_s=0.01)
    span_s, allowed = max(1.0, 1.0 / rate), max(1, int(rate))
    assert most_within(world.arrival_times(), span_s) <= allowed


@settings(deadline=None, max_examples=60)
@given(rate=st.integers(1, 40), easings=st.integers(0, 6), round_trip_s=DELAYS)
def test_an_eased_pace_is_kept_in_every_span_too(rate: int, easings: int, round_trip_s: float) -> None:
    busy = Busy(float(rate), round_trip_s)
    busy.taken_in(2.0)
    for _ in range(easings):
        busy.throttle.ease_off()
    busy.taken_in(3.0)  # what was out when it eased comes back
    since = busy.clock.seconds()
    busy.taken_in(4.0)
    times = [at for at in busy.taken if at >= since]
    share = max(1 / 4, 0.5**easings)
    assert most_within(times, 1.0) <= max(1, -(-rate * share // 1))
    assert len(times) <= 4.0 * rate * share + max(1, -(-rate * share // 1))


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_it_gives_back_a_tenth_of_the_agreed_pace_each_ten_seconds_until_it_is_whole(rate: float) -> None:
    throttle = PermitThrottle(rate=rate, clock=(clock := Clock()))
    throttle.ease_off()
    throttle.ease_off()
    paces = []
    for _ in range(10):
        paces.append(throttle.pace / rate)
        clock.advance(10.0)
    assert paces == pytest.approx([0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0, 1.0])


def test_it_never_falls_below_a_quarter() -> None:
    throttle = PermitThrottle(rate=1.0, clock=Clock())
    for _ in range(9):
        throttle.ease_off()
    assert throttle.pace == pytest.approx(1 / 4)


def test_before_any_answer_the_pace_is_what_was_agreed() -> None:
    assert [PermitThrottle(rate=rate, clock=Clock()).pace for rate in (0.2, 1.0, 2.5, 20.0)] == [0.2, 1.0, 2.0, 20.0]


@pytest.mark.parametrize("easings", [0, 1, 3])
@pytest.mark.parametrize(("rate", "round_trip_s"), [(1.0, 0.2), (5.0, 0.2), (20.0, 0.05)])
def test_the_pace_it_tells_is_the_pace_it_keeps(rate: float, round_trip_s: float, easings: int) -> None:
    busy = Busy(rate, round_trip_s)
    busy.taken_in(3.0)
    for _ in range(easings):
        busy.throttle.ease_off()
    busy.taken_in(2.0)
    told = busy.throttle.pace
    if not easings:
        assert told == pytest.approx(rate / (1.0 + round_trip_s), rel=0.01)
        assert busy.taken_in(60.0) == pytest.approx(60.0 * told, rel=0.03)
    else:
        assert abs(busy.taken_in(7.9) - 7.9 * told) <= busy.throttle.permits / 2 + 1


def test_a_permit_may_be_had_ahead_of_the_time_from_which_a_request_may_go_out_under_it() -> None:
    throttle = PermitThrottle(rate=1.0, clock=(clock := Clock()))
    permits: list[int] = []
    Deferred.fromCoroutine(throttle.take(0.3)).addCallback(permits.append)
    assert throttle.since(permits[0]) == 0.0
    throttle.give_back(permits[0])
    Deferred.fromCoroutine(throttle.take(0.3)).addCallback(permits.append)
    clock.advance(0.69)
    assert len(permits) == 1
    clock.advance(0.02)
    assert throttle.since(permits[1]) == 1.0
    throttle.put_back(permits[1])
    Deferred.fromCoroutine(throttle.take()).addCallback(permits.append)
    assert len(permits) == 2  # what was put back is free no sooner
    clock.advance(0.3)
    assert len(permits) == 3


def test_a_permit_that_was_put_back_unused_tells_nothing_of_the_round_trip() -> None:
    throttle = PermitThrottle(rate=1.0, clock=(clock := Clock()))
    permits: list[int] = []
    Deferred.fromCoroutine(throttle.take()).addCallback(permits.append)
    clock.advance(3.0)
    throttle.put_back(permits[0])
    assert throttle.pace == 1.0
