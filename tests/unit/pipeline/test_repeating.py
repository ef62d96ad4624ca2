"""Where a provider knows a repeat for one, what was not answered goes again at once, and nobody gets it twice."""

from itertools import chain, repeat

import pytest

from smsd.core.lifecycle import State
from smsd.core.message import What
from smsd.core.outcome import Found, HeldOff, LookupFailed, LookupResult, NotFound, Outcome, Refused, Unanswered
from tests.unit.pipeline.world import Exchange, World

GOOD = Exchange(0.01, 0.01)
CUT = Exchange(0.01, 0.01, Unanswered(reason="reset"))


def world_of(*exchanges: Exchange, window_s: float = 7200.0) -> World:
    world = World(rate=5.0, exchanges=chain(exchanges, repeat(GOOD)))
    world.gateway.repeatable_s = window_s
    return world


def ends_with(outcome: Outcome) -> Exchange:
    return Exchange(0.01, 0.01, outcome)


def test_what_was_not_answered_goes_again_at_once_without_being_asked_for() -> None:
    world = world_of(CUT)
    (id,) = world.post()
    world.start()
    world.pass_time(3.0)
    assert [sent for _, sent in world.gateway.arrivals] == [id, id]
    assert world.found(id).state is State.SENT
    assert [event.what for event in world.found(id).history] == [What.UNANSWERED, What.REPEATED, What.SENT]


BROKEN = Exchange(0.01, 0.01, Unanswered(reason="500", is_fault=True))


def test_what_the_provider_has_though_it_broke_down_over_it_does_not_go_again() -> None:
    world = world_of(BROKEN)
    world.gateway.lookups = iter([Found(provider_id="theirs")])
    (id,) = world.post()
    world.start()
    world.pass_time(5.0)
    assert len(world.gateway.arrivals) == 1
    assert world.found(id).provider_id == "theirs"


@pytest.mark.parametrize("told", [NotFound(), LookupFailed(reason="500")])
def test_what_it_does_not_list_or_cannot_tell_goes_again_at_once_as_the_same(told: LookupResult) -> None:
    world = world_of(BROKEN)
    world.gateway.lookups = repeat(told)
    (id,) = world.post()
    world.start()
    world.pass_time(5.0)
    first, second = world.arrival_times()
    assert second - first < 2.0
    assert (world.found(id).state, world.found(id).tried_since) == (State.SENT, pytest.approx(first - 0.01))


def test_a_repeat_is_known_for_the_attempt_that_it_repeats() -> None:
    world = world_of(CUT, CUT)
    (id,) = world.post()
    world.start()
    world.pass_time(6.0)
    first, _, last = world.arrival_times()
    found = world.found(id)
    assert (found.tried_since, found.attempted_at) == (pytest.approx(first - 0.01), pytest.approx(last - 0.01))


def test_after_the_window_it_is_asked_for() -> None:
    world = world_of(*[CUT] * 400, window_s=30.0)
    world.gateway.lookups = iter([Found(provider_id="theirs")])
    (id,) = world.post()
    world.start()
    world.pass_time(120.0)
    assert world.found(id).provider_id == "theirs"
    assert max(world.arrival_times()) < 30.0 + 30.0


@pytest.mark.parametrize("told", [Found(provider_id="theirs"), NotFound()])
def test_one_that_the_provider_may_have_forgotten_is_asked_for_before_it_goes_again_as_the_same(
    told: LookupResult,
) -> None:
    world = world_of(CUT)
    world.gateway.trusted_s = 0.0
    world.gateway.lookups = repeat(told)
    (id,) = world.post()
    world.start()
    world.pass_time(20.0)
    first, *more = world.arrival_times()
    assert len(more) == (0 if isinstance(told, Found) else 1)
    assert world.found(id).state is State.SENT
    if more:
        assert more[0] - first > 10.0  # the grace time: it may be on its way
        assert world.found(id).tried_since == pytest.approx(first - 0.01)


def test_while_the_provider_cannot_tell_of_it_it_waits() -> None:
    world = world_of(CUT)
    world.gateway.trusted_s = 0.0
    world.gateway.lookups = repeat(LookupFailed(reason="500"))
    (id,) = world.post()
    world.start()
    world.pass_time(60.0)
    assert len(world.gateway.arrivals) == 1
    assert world.found(id).state is State.UNCERTAIN


def test_a_repeat_that_has_waited_long_for_its_turn_is_looked_at_again() -> None:
    world = world_of()
    world.gateway.trusted_s = 5.0
    world.gateway.lookups = repeat(Found(provider_id="theirs"))
    world.clock.advance(1000.0)
    old = {"gateway": "test", "attempts": 1, "attempted_at": 300.0, "tried_since": 300.0}
    (id,) = world.post(**old, changed_at=301.0, not_before=301.0)
    (lately,) = world.post(**old, changed_at=999.0, not_before=999.0)
    world.start()
    world.pass_time(5.0)
    assert world.found(id).provider_id == "theirs"
    assert [sent for _, sent in world.gateway.arrivals] == [lately]


def test_a_repeat_that_is_held_off_is_asked_for_and_not_sent_as_another() -> None:
    world = world_of(CUT, ends_with(HeldOff(reason="no balance")))
    world.gateway.lookups = iter([Found(provider_id="theirs")])
    (id,) = world.post()
    world.start()
    world.pass_time(10.0)
    assert len(world.gateway.arrivals) == 2
    assert world.found(id).provider_id == "theirs"


def test_a_repeat_that_is_refused_is_dead() -> None:
    world = world_of(CUT, ends_with(Refused(reason="no")))
    (id,) = world.post()
    world.start()
    world.pass_time(5.0)
    assert world.found(id).state is State.DEAD


def test_a_repeat_for_another_gateway_is_asked_for_there_and_not_sent_here() -> None:
    world = world_of()
    world.start()
    world.pass_time(0.5)
    (id,) = world.post(gateway="old", attempts=1, attempted_at=0.1, tried_since=0.1)
    world.pass_time(10.0)
    assert world.gateway.arrivals == []
    found = world.found(id)
    assert found.state is State.UNCERTAIN
    assert "the gateway old, which may have it, is not set up" in found.error


def test_a_repeat_past_its_validity_is_asked_for() -> None:
    world = world_of()
    world.gateway.lookups = iter([Found(provider_id="theirs")])
    (id,) = world.post(gateway="test", attempts=1, attempted_at=0.0, tried_since=0.0, valid_until=0.0)
    world.start()
    world.pass_time(5.0)
    assert world.gateway.arrivals == []
    assert world.found(id).state is State.SENT
