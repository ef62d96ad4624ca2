from itertools import chain, pairwise, repeat

import pytest
from twisted.internet.task import Clock

from smsd.core.lifecycle import State
from smsd.core.message import What
from smsd.core.outcome import Accepted, HeldOff, Outcome, Postponed, Refused, Throttled, Unanswered
from smsd.core.retry import Backoff
from smsd.pipeline.hold import FAILING_S, IN_A_ROW, Hold, Mood
from tests.unit.pipeline.world import Exchange, Notebook, World

GOOD = Exchange(0.01, 0.01)
TAKEN = Accepted(provider_id="p")
BROKEN = Unanswered(reason="500")
UNREACHABLE = Postponed(reason="refused")
WRONG_KEY = HeldOff(reason="wrong key")


def busy(retry_after_s: float | None = None) -> Throttled:
    return Throttled(reason="429", retry_after_s=retry_after_s)


def kinds(notebook: Notebook) -> list[What]:
    return [notice.what for notice in notebook.notices]


class Held:
    """A hold by itself, with the waits 1, 2, 4 … s."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(50.0)
        self.notebook = Notebook()
        backoff = Backoff(base_s=1.0, cap_s=60.0)
        self.hold = Hold(backoff=backoff, clock=self.clock, now=lambda: 1e6, reporter=self.notebook)

    def note(self, *outcomes: Outcome, begun_s: float = 0.0) -> list[bool]:
        """Note each, of a request that went out ``begun_s`` seconds ago."""
        return [self.hold.note(each, self.clock.seconds() - begun_s) for each in outcomes]

    def fail(self) -> None:
        """Fail so often, and for so long, that it is no single message's fault."""
        self.note(BROKEN)
        self.clock.advance(FAILING_S)
        self.note(*[BROKEN] * (IN_A_ROW - 1))

    def probe(self, outcome: Outcome) -> None:
        """Wait until a probe may go, and have it come to ``outcome``."""
        assert self.hold.probe_at is not None
        self.clock.advance(self.hold.probe_at - 1e6)
        assert self.hold.lets_start(0)
        self.note(outcome)

    def wait_s(self) -> float | None:
        return None if self.hold.probe_at is None else self.hold.probe_at - 1e6


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0])
@pytest.mark.parametrize("back_s", [0.01, 0.35])
def test_a_429_stops_all_for_as_long_as_it_asks_and_the_order_is_kept(rate: float, back_s: float) -> None:
    good, throttled = Exchange(0.01, back_s), Exchange(0.01, back_s, busy(2.0))
    world = World(rate=rate, exchanges=chain([good] * 4, [throttled], repeat(good)))
    ids = world.post(40)
    world.start()
    world.pass_time(120.0)
    answered_at = world.gateway.arrivals[4][0] + back_s + 0.011  # what had begun needs so long to arrive
    assert [at for at in world.arrival_times() if answered_at < at < answered_at + 1.98] == []
    assert world.gateway.arrivals[4][1] == ids[4]
    before = {id for at, id in world.gateway.arrivals if at <= answered_at}
    after = [id for at, id in world.gateway.arrivals if at > answered_at]
    assert after == [id for id in ids if id == ids[4] or id not in before]
    assert world.found(ids[4]).attempts == 2


def test_one_that_waited_for_a_permit_at_a_429_gets_in_line_behind_it() -> None:
    world = World(rate=1.0, exchanges=chain([Exchange(0.0, 1.5, busy(0.5))], repeat(GOOD)))
    first, *others = world.post(4)
    world.start()
    world.pass_time(15.0)
    assert [id for _, id in world.gateway.arrivals] == [first, first, *others]


def test_after_the_wait_one_goes_first_and_the_others_once_it_is_taken() -> None:
    slow = Exchange(0.0, 0.5)
    world = World(rate=5.0, exchanges=chain([Exchange(0.0, 0.0, busy(2.0))], repeat(slow)))
    world.post(10)
    world.start()
    world.pass_time(3.0)
    _, probe, *others = world.arrival_times()
    assert probe >= 2.0
    assert others
    assert all(at >= probe + 0.5 for at in others)


def test_a_429_without_a_time_waits_longer_each_time() -> None:
    held = Held()
    held.note(busy())
    waits = [held.wait_s()]
    for _ in range(3):
        held.probe(busy())
        waits.append(held.wait_s())
    assert waits == [1.0, 2.0, 3.0, 3.0]
    held.probe(TAKEN)
    held.note(busy())
    assert held.wait_s() == 1.0


def test_what_was_in_flight_at_a_429_neither_ends_the_wait_nor_counts_again() -> None:
    held = Held()
    assert held.note(busy(2.0), busy(2.0), begun_s=0.3) == [True, False]
    held.note(TAKEN, Refused(reason="bad recipient"), begun_s=0.3)
    assert (held.hold.mood, held.wait_s()) == (Mood.THROTTLED, 2.0)
    held.note(busy(5.0), busy(3.0), begun_s=0.3)
    assert held.wait_s() == 5.0


def test_a_429_is_the_providers_right_and_no_trouble_to_shout_about() -> None:
    held = Held()
    held.note(busy(2.0))
    held.probe(TAKEN)
    assert (held.hold.reason, held.notebook.notices) == ("", [])


def test_each_429_halves_the_pace_but_those_in_flight_together_halve_it_once() -> None:
    together = Exchange(0.0, 0.5, busy(2.0))
    world = World(rate=10.0, exchanges=chain([together] * 3, repeat(Exchange(0.0, 0.0))))
    world.post(200)
    world.start()
    world.pass_time(1.5)
    assert len(world.gateway.arrivals) == 6  # the first answer is in after half a second
    world.pass_time(7.0)
    assert 23 <= len([at for at in world.arrival_times() if 3.0 <= at < 8.0]) <= 25


@pytest.mark.parametrize("failure", [BROKEN, UNREACHABLE])
def test_several_failures_in_a_row_hold_all_and_one_probe_goes_at_a_time(failure: Outcome) -> None:
    failing = Exchange(0.0, 0.01, failure)
    world = World(rate=2.0, exchanges=chain(repeat(failing, 13), repeat(GOOD)))
    ids = world.post(40)
    world.start()
    world.pass_time(9.0)
    assert world.hold.reason == failure.reason  # type: ignore[union-attr]
    world.pass_time(100.0)
    gaps = [later - earlier for earlier, later in pairwise(world.arrival_times()[:14])]
    # After the five seconds the waits of 1, 2 and 3 s begin.
    waits = [gap for gap in gaps if gap >= 0.9]
    assert waits[-2] >= 2
    assert 3 <= waits[-1] <= 4.1
    assert len(gaps) - len(waits) >= IN_A_ROW
    assert {world.found(id).state for id in ids} == {State.SENT}
    assert [what for what in kinds(world.notebook) if what in (What.HELD, What.RELEASED)] == [What.HELD, What.RELEASED]


def test_fewer_failures_or_some_that_are_not_in_a_row_hold_nothing() -> None:
    held = Held()
    for answer in (TAKEN, Refused(reason="bad recipient")):
        held.note(*[BROKEN, UNREACHABLE] * 2)
        assert held.hold.mood is Mood.WELL
        held.note(answer)


@pytest.mark.parametrize("answer", [TAKEN, Refused(reason="bad recipient")])
def test_any_answer_that_shows_that_it_works_ends_a_row_of_failures(answer: Outcome) -> None:
    held = Held()
    held.fail()
    assert held.hold.mood is Mood.FAILING
    held.note(answer, begun_s=0.3)
    assert (held.hold.mood, held.hold.reason, held.hold.probe_at) == (Mood.WELL, "", None)


def test_one_message_that_always_fails_stalls_nobody() -> None:
    world = World(rate=5.0, exchanges=[GOOD])
    bad, *others = world.post(20)
    world.gateway.always[bad] = BROKEN
    world.start()
    world.pass_time(8.0)
    assert {world.found(id).state for id in others} == {State.SENT}
    assert What.HELD not in kinds(world.notebook)


@pytest.mark.parametrize("fault", [BROKEN, UNREACHABLE])
def test_one_that_always_fails_is_not_the_probe_for_ever(fault: Outcome) -> None:
    world = World(rate=5.0, exchanges=chain(repeat(Exchange(0.0, 0.0, BROKEN), IN_A_ROW), repeat(GOOD)))
    bad, *others = world.post(20)
    world.gateway.always[bad] = fault
    world.start()
    world.pass_time(40.0)
    assert {world.found(id).state for id in others} == {State.SENT}


def test_a_probe_that_fails_in_any_way_is_another_step_and_the_worst_mood_stands() -> None:
    held = Held()
    held.note(WRONG_KEY)
    waits = [held.wait_s()]
    for outcome in (BROKEN, busy(), UNREACHABLE, WRONG_KEY, busy(30.0)):
        held.probe(outcome)
        waits.append(held.wait_s())
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert (held.hold.mood, held.hold.reason) == (Mood.HELD, "wrong key")
    assert kinds(held.notebook) == [What.HELD]


def test_a_worse_mood_is_told_of() -> None:
    held = Held()
    held.fail()
    held.probe(WRONG_KEY)
    held.probe(TAKEN)
    told = [(notice.what, notice.detail) for notice in held.notebook.notices]
    assert told == [(What.HELD, "500"), (What.HELD, "wrong key"), (What.RELEASED, "")]


def test_an_answer_from_before_the_key_failed_does_not_end_the_hold() -> None:
    held = Held()
    held.note(WRONG_KEY)
    held.note(TAKEN, begun_s=0.3)
    assert held.hold.mood is Mood.HELD


def test_a_5xx_that_says_when_is_not_sent_again_sooner() -> None:
    world = World(rate=5.0, exchanges=[Exchange(0.0, 0.0, Unanswered(reason="503", retry_after_s=30.0)), GOOD])
    world.post()
    world.start()
    world.pass_time(45.0)
    first, second = world.arrival_times()
    assert second - first >= 30.0


def test_what_was_written_down_ahead_stays_when_the_provider_holds_all_meanwhile() -> None:
    held = Exchange(0.3, 0.0, HeldOff(reason="no balance"))
    world = World(rate=10.0, exchanges=[Exchange(0.3, 0.0), Exchange(0.3, 0.0), *[held] * 1000], writes_s=[0.9])
    world.post(100)
    world.start()
    world.pass_time(30.0, step_s=0.01)
    held_at = world.arrival_times()[2]
    # What had gone out by then arrives; what waited for its permit does not go.
    assert not [at for at in world.arrival_times() if held_at + 0.35 < at < held_at + 2.0]
    assert len(world.arrival_times()) > 6  # and the probes go on
