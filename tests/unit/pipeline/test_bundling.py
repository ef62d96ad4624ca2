"""Several messages go in one request, and whatever becomes of it, nobody gets one twice or not at all."""

from collections.abc import Iterable
from itertools import chain, repeat

import pytest
from twisted.internet.defer import Deferred

from smsd.core.address import Msisdn
from smsd.core.bundle import bundle_name, is_whole
from smsd.core.lifecycle import State
from smsd.core.message import MAX_RECIPIENTS
from smsd.core.outcome import (
    Found,
    HeldOff,
    LookupFailed,
    LookupResult,
    NotFound,
    Outcome,
    Postponed,
    Refused,
    Spared,
    Throttled,
    Unanswered,
)
from smsd.core.report import DeliveryStatus, Report
from smsd.core.settle import begin, reported
from tests.messages import message
from tests.unit.pipeline.world import Exchange, World, most_within

GOOD = Exchange(0.01, 0.01)
MANY = tuple(Msisdn(str(31600000000 + number)) for number in range(MAX_RECIPIENTS))


def ends_with(outcome: Outcome) -> Exchange:
    return Exchange(0.01, 0.01, outcome)


CUT = ends_with(Unanswered(reason="reset"))


def world_of(exchanges: Iterable[Exchange] = (), *, coalesces: bool = True, rate: float = 1.0) -> World:
    world = World(rate=rate, exchanges=chain(exchanges, repeat(GOOD)), bundles=True, coalesces=coalesces)
    world.gateway.repeatable_s = 7200.0
    return world


def sizes(world: World) -> list[int]:
    return [len(ids) for _, ids in world.gateway.bundles]


def states(world: World, ids: Iterable[str]) -> set[State]:
    return {world.found(id).state for id in ids}


def test_whatever_waits_goes_a_hundred_in_a_request_and_a_request_at_a_time() -> None:
    world = world_of()
    ids = world.post(250)
    world.start()
    world.pass_time(6.0)
    assert [id for _, some in world.gateway.bundles for id in some] == ids
    assert sizes(world) == [100, 100, 50]
    assert most_within(world.arrival_times(), 1.0) == 1
    assert states(world, ids) == {State.SENT}


def test_one_that_waits_by_itself_goes_by_itself() -> None:
    world = world_of()
    (id,) = world.post()
    world.start()
    world.pass_time(3.0)
    assert (world.gateway.bundles, world.found(id).state) == ([], State.SENT)


def test_a_request_carries_a_hundred_recipients_and_not_messages() -> None:
    world = world_of()
    ids = world.post(3, recipients=MANY)
    world.start()
    world.pass_time(5.0)
    assert sizes(world) == [2]
    assert states(world, ids) == {State.SENT}


def test_unless_it_coalesces_only_parts_of_one_broadcast_go_together() -> None:
    world = world_of(coalesces=False)
    parts = world.post(2, recipients=MANY, batch="b1")
    others = world.post(2, recipients=MANY[:3], batch="b2")
    lone = world.post(2)
    world.start()
    world.pass_time(8.0)
    assert [ids for _, ids in world.gateway.bundles] == [parts, others]
    assert [id for _, id in world.gateway.arrivals][-2:] == lone


def test_one_that_is_refused_does_not_take_the_others_down() -> None:
    world = world_of([ends_with(Spared(reason="422"))])
    bad, *good = world.post(5)
    world.gateway.always[bad] = Refused(reason="no number of a phone")
    world.start()
    world.pass_time(4.0)
    assert (world.found(bad).state, world.found(bad).error) == (State.DEAD, "no number of a phone")
    assert [ids for _, ids in world.gateway.bundles] == [[bad, *good], good]
    assert states(world, good) == {State.SENT}
    assert {world.found(id).attempts for id in good} == {1}


def test_if_nobody_says_which_it_is_found_by_halves_and_those_that_come_later_stay_out_of_it() -> None:
    world = world_of()
    ids = world.post(100)
    world.gateway.refused = {ids[60]}
    world.start()
    world.pass_time(0.5)
    later = world.post(2)
    world.pass_time(20.0)
    assert world.found(ids[60]).state is State.DEAD
    assert states(world, [*ids[:60], *ids[61:], *later]) == {State.SENT}
    assert [some for _, some in world.gateway.bundles if set(some) & set(later)] == [later]
    assert sizes(world)[:3] == [100, 50, 50]
    assert len(world.gateway.arrivals) == 16


@pytest.mark.parametrize("places", [{0}, {6}, {0, 6}, set(range(7))])
def test_whichever_are_refused_the_others_are_sent(places: set[int]) -> None:
    world = world_of()
    ids = world.post(7)
    world.gateway.refused = {ids[place] for place in places}
    world.start()
    world.pass_time(20.0)
    assert {id for id in ids if world.found(id).state is State.DEAD} == world.gateway.refused
    assert all(world.found(id).state is State.SENT for id in ids if id not in world.gateway.refused)
    assert len(world.gateway.arrivals) < 2 * len(ids)


def test_what_was_not_answered_goes_again_as_the_same_request_whatever_came_meanwhile() -> None:
    world = world_of([CUT, CUT])
    ids = world.post(3)
    world.start()
    world.pass_time(0.5)
    later = world.post(3)
    world.pass_time(10.0)
    assert len(world.gateway.bundles) == 4
    assert {(name, *sorted(some)) for name, some in world.gateway.bundles} == {
        (bundle_name(some, world.found(some[0]).tried_since or 0.0), *some) for some in (ids, later)
    }
    assert states(world, [*ids, *later]) == {State.SENT}


@pytest.mark.parametrize("outcome", [Postponed(reason="refused"), Throttled(reason="429"), HeldOff(reason="key")])
def test_what_was_surely_not_taken_may_go_with_others(outcome: Outcome) -> None:
    world = world_of([ends_with(outcome)])
    ids = world.post(3)
    world.start()
    world.pass_time(0.5)
    ids += world.post(3)
    world.pass_time(20.0)
    assert states(world, ids) == {State.SENT}
    assert {world.found(id).bundle for id in ids} == {""}


def test_one_of_which_a_report_tells_leaves_the_others_to_be_asked_for() -> None:
    world = world_of([CUT])
    ids = world.post(3)
    world.gateway.lookups = repeat(Found(provider_id="theirs"))
    world.start()
    while world.found(ids[0]).state is not State.UNCERTAIN:
        world.pass_time(0.005)
    report = Report(reference=ids[0], recipient=Msisdn("31633450007"), status=DeliveryStatus.DELIVERED, at=1.0)
    _ = Deferred.fromCoroutine(world.spool.amend(ids[0], lambda each: reported(each, report, 1.0)))
    world.pass_time(12.0)
    assert len(world.gateway.bundles) == 1
    assert states(world, ids[1:]) == {State.SENT}


def test_after_the_time_for_which_it_is_known_each_is_asked_for() -> None:
    world = world_of(repeat(CUT, 1000))
    world.gateway.repeatable_s = 10.0
    world.gateway.lookups = repeat(Found(provider_id="theirs"))
    ids = world.post(3)
    world.start()
    world.pass_time(30.0)
    assert len({name for name, _ in world.gateway.bundles}) == 1
    assert max(world.arrival_times()) < 12.0
    assert states(world, ids) == {State.SENT}


@pytest.mark.parametrize(
    ("told", "requests"),
    [(Found(provider_id="theirs"), 1), (LookupFailed(reason="500"), 1), (NotFound(), 2)],
)
def test_one_that_the_provider_may_have_forgotten_is_asked_for_before_the_request_goes_again(
    told: LookupResult, requests: int
) -> None:
    world = world_of([CUT])
    world.gateway.trusted_s = 0.0
    world.gateway.lookups = repeat(told)
    ids = world.post(3)
    world.start()
    world.pass_time(20.0)
    assert [some for _, some in world.gateway.bundles] == [ids] * requests
    assert len({name for name, _ in world.gateway.bundles}) == 1
    assert states(world, ids) == {State.UNCERTAIN if isinstance(told, LookupFailed) else State.SENT}


def test_what_is_not_found_then_may_go_with_others() -> None:
    world = world_of([CUT])
    world.gateway.repeatable_s = 0.0
    world.gateway.lookups = repeat(NotFound())
    ids = world.post(3)
    world.start()
    world.pass_time(40.0)
    assert states(world, ids) == {State.SENT}
    assert sizes(world)[0] == 3


def test_a_provider_that_broke_down_over_it_is_asked_before_it_goes_again() -> None:
    world = world_of([ends_with(Unanswered(reason="500", is_fault=True))])
    world.gateway.lookups = repeat(Found(provider_id="theirs"))
    ids = world.post(3)
    world.start()
    world.pass_time(10.0)
    assert len(world.gateway.bundles) == 1
    assert states(world, ids) == {State.SENT}


def test_a_stale_one_and_a_repeat_go_with_nobody() -> None:
    world = world_of()
    (single,) = world.post(gateway="test", attempts=1, attempted_at=0.0, tried_since=0.0)
    ids = world.post(3)
    stale = world.post(1, valid_until=0.4)
    world.start()
    world.pass_time(5.0)
    assert states(world, stale) == {State.EXPIRED}
    assert [some for _, some in world.gateway.bundles] == [ids]
    assert [id for _, id in world.gateway.arrivals] == [single, ids[0]]


def test_a_probe_goes_by_itself() -> None:
    world = world_of([ends_with(HeldOff(reason="key"))] * 3)
    world.post(10)
    world.start()
    world.pass_time(1.0)
    assert sizes(world) == [10]
    world.pass_time(3.0)
    assert sizes(world) == [10]
    assert len(world.gateway.arrivals) > 1


def test_a_bundle_is_whole_with_all_of_its_messages_and_no_other() -> None:
    name = bundle_name(["a", "b"], 5.0)
    ann, bob, eve = (begin(message(id), 5.0, "test", name) for id in "abc")
    assert is_whole([bob, ann])
    assert not is_whole([ann])
    assert not is_whole([ann, bob, eve])
    assert name != bundle_name(["a", "b"], 6.0)
