import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pipeline.world import Exchange, World, most_within

DELAYS = st.floats(0.0, 1.5, allow_nan=False).map(lambda s: round(s, 3))
EXCHANGES = st.lists(st.builds(Exchange, DELAYS, DELAYS), min_size=1, max_size=8)
#: Seconds between arrivals of messages, and how many come at once.
ARRIVALS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.49, 0.99, 1.0, 2.5]), st.integers(1, 8)), max_size=8)


@settings(deadline=None, max_examples=60)
@given(rate=st.sampled_from([0.5, 1.0, 2.5, 5.0]), arrivals=ARRIVALS, exchanges=EXCHANGES)
def test_no_span_at_the_provider_ever_holds_more_than_the_rate(
    rate: float, arrivals: list[tuple[float, int]], exchanges: list[Exchange]
) -> None:
    world = World(rate=rate, exchanges=exchanges)
    world.start()
    for pause_s, count in arrivals:
        world.pass_time(pause_s)
        world.post(count)
    world.pass_time(8.0)
    span_s, allowed = max(1.0, 1.0 / rate), max(1, int(rate))
    assert most_within(world.arrival_times(), span_s) <= allowed


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0])
@pytest.mark.parametrize("round_trip_s", [0.01, 0.1, 0.3])
def test_the_rate_is_used_as_far_as_the_guarantee_allows(rate: float, round_trip_s: float) -> None:
    world = World(rate=rate, exchanges=[Exchange(round_trip_s / 2, round_trip_s / 2)])
    world.post(1000)
    world.start()
    world.pass_time(30.0, step_s=0.001)
    ideal = 30.0 * rate / (1.0 + round_trip_s)
    assert len(world.gateway.arrivals) >= 0.95 * ideal


@settings(deadline=None, max_examples=60)
@given(rate=st.sampled_from([0.5, 1.0, 2.5, 5.0]), exchanges=EXCHANGES, writes_s=st.lists(DELAYS, min_size=1))
def test_nor_does_it_while_attempts_are_written_down_ahead_of_their_permits(
    rate: float, exchanges: list[Exchange], writes_s: list[float]
) -> None:
    world = World(rate=rate, exchanges=exchanges, writes_s=writes_s)
    world.post(100)
    world.start()
    world.pass_time(15.0, step_s=0.01)
    assert len(world.arrival_times()) >= 2
    assert most_within(world.arrival_times(), max(1.0, 1.0 / rate)) <= max(1, int(rate))


@pytest.mark.parametrize("writes_s", [[0.2], [0.4], [0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2]])
def test_a_spool_that_takes_long_to_write_costs_no_rate(writes_s: list[float]) -> None:
    world = World(rate=20.0, exchanges=[Exchange(0.005, 0.005)], writes_s=writes_s)
    world.post(1000)
    world.start()
    world.pass_time(30.0, step_s=0.005)
    assert len(world.gateway.arrivals) >= 0.95 * 30.0 * 20.0 / 1.01


def test_a_message_that_comes_between_two_ticks_waits_for_the_next() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.0, 0.0)])
    world.start()
    world.pass_time(1.99)
    world.post(2)
    world.pass_time(0.005)
    assert world.arrival_times() == []
    world.pass_time(2.5)
    assert [round(at) for at in world.arrival_times()] == [2, 3]


def test_a_slow_provider_does_not_stop_the_ticks_from_starting_other_sends() -> None:
    world = World(rate=5.0, exchanges=[Exchange(0.0, 3.0)])
    world.post(20)
    world.start()
    world.pass_time(1.5)
    assert len(world.gateway.arrivals) == 5


def test_a_rate_below_one_is_one_request_in_so_many_seconds() -> None:
    world = World(rate=0.2, exchanges=[Exchange(0.0, 0.0)])
    world.post(4)
    world.start()
    world.pass_time(16.0)
    assert len(world.gateway.arrivals) == 4
    assert most_within(world.arrival_times(), 5.0) == 1


def test_ticks_that_a_busy_reactor_skipped_are_made_up_for_but_not_those_with_nothing_to_send() -> None:
    world = World(rate=20.0, exchanges=[Exchange(0.0, 0.0)])
    world.start()
    world.pass_time(3.0)
    world.post(100)
    world.pass_time(0.01)
    before = len(world.arrival_times())
    assert before <= 1
    world.pass_time(0.5, step_s=0.5)
    world.pass_time(0.01)
    assert 9 <= len(world.arrival_times()) - before <= 11
