from itertools import chain, cycle, repeat

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority, What
from smsd.core.outcome import Accepted, Found, HeldOff, NotFound, Postponed, Refused, Unanswered
from smsd.ports import Lease
from smsd.spool.memory import MemorySpool
from tests.unit.pipeline.world import Exchange, World

GOOD = Exchange(0.01, 0.01)


def kinds(world: World) -> list[What]:
    return [notice.what for notice in world.notebook.notices]


def test_a_message_is_sent_once_and_told_of_in_order() -> None:
    world = World(rate=1.0, exchanges=[GOOD])
    (id,) = world.post()
    world.start()
    world.pass_time(3.0)
    assert [sent for _, sent in world.gateway.arrivals] == [id]
    assert kinds(world) == [What.ATTEMPT, What.SENT]
    assert world.found(id).state is State.SENT


def test_the_attempt_is_on_record_while_the_provider_is_being_called() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.5, 0.5)])
    (id,) = world.post()
    world.start()
    world.pass_time(0.25)
    assert world.gateway.arrivals == []
    assert (world.found(id).state, world.found(id).attempts) == (State.SENDING, 1)


def test_a_postponed_message_is_tried_again_until_it_is_taken() -> None:
    busy = Exchange(0.01, 0.01, Postponed(reason="refused"))
    world = World(rate=5.0, exchanges=[busy, busy, GOOD])
    (id,) = world.post()
    world.start()
    world.pass_time(6.0)
    assert len(world.gateway.arrivals) == 3
    assert world.found(id).state is State.SENT
    assert [event.what for event in world.found(id).history] == [What.POSTPONED, What.POSTPONED, What.SENT]


def test_a_refused_message_is_dead_and_does_not_hold_up_the_next() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01, Refused(reason="bad recipient")), GOOD])
    refused, good = world.post(2)
    world.start()
    world.pass_time(3.0)
    assert (world.found(refused).state, world.found(good).state) == (State.DEAD, State.SENT)
    assert world.found(refused).error == "bad recipient"


def test_an_unanswered_message_that_the_provider_has_is_not_sent_again() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01, Unanswered(reason="reset")), GOOD])
    world.gateway.lookups = iter([Found(provider_id="theirs")])
    (id,) = world.post()
    world.start()
    world.pass_time(30.0)
    assert len(world.gateway.arrivals) == 1
    assert (world.found(id).state, world.found(id).provider_id) == (State.SENT, "theirs")


def test_an_unanswered_message_that_the_provider_does_not_have_is_sent_again_after_the_grace_time() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01, Unanswered(reason="reset")), GOOD])
    (id,) = world.post()
    world.start()
    world.pass_time(30.0)
    first, second = world.arrival_times()
    assert second - first >= 10.0
    assert world.found(id).state is State.SENT


def test_a_lookup_delays_no_send() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.0, 0.0, Unanswered(reason="reset")), GOOD])
    world.gateway.lookups = cycle([NotFound()])
    world.post(4)
    world.start()
    world.pass_time(4.1)
    assert len(world.gateway.arrivals) == 4


def test_a_wrong_key_holds_all_and_probes_one_at_a_time_until_it_works() -> None:
    wrong = Exchange(0.01, 0.01, HeldOff(reason="wrong key"))
    world = World(rate=10.0, exchanges=chain(repeat(wrong, 4), repeat(GOOD)))
    ids = world.post(40)
    world.start()
    world.pass_time(5.0)
    assert len(world.gateway.arrivals) <= 12
    assert kinds(world).count(What.HELD) == 1
    assert world.hold.reason == "wrong key"
    world.pass_time(30.0)
    assert {world.found(id).state for id in ids} == {State.SENT}
    assert kinds(world).count(What.RELEASED) == 1
    assert What.REFUSED not in kinds(world)


def test_high_goes_before_normal_and_low_whatever_came_first() -> None:
    world = World(rate=1.0, exchanges=[GOOD])
    low = world.post(3, priority=Priority.LOW)
    normal = world.post(3)
    world.start()
    high = world.post(3, priority=Priority.HIGH)
    world.pass_time(12.0)
    sent = [id for _, id in world.gateway.arrivals]
    # What was leased before the high ones came is a matter of two or three.
    assert sent == [*normal, *high, *low]


def test_a_stale_message_expires_and_is_never_sent() -> None:
    world = World(rate=1.0, exchanges=[GOOD])
    fresh, stale = world.post(), world.post(valid_until=0.5)
    world.clock.advance(1.0)
    world.start()
    world.pass_time(3.0)
    assert [id for _, id in world.gateway.arrivals] == fresh
    assert world.found(stale[0]).state is State.EXPIRED


def test_a_message_is_not_sent_before_its_time() -> None:
    world = World(rate=1.0, exchanges=[GOOD])
    world.post(not_before=5.0)
    world.start()
    world.pass_time(4.9)
    assert world.gateway.arrivals == []
    world.pass_time(2.0)
    assert len(world.gateway.arrivals) == 1


def test_stopping_lets_what_is_under_way_get_its_answer_and_gives_the_rest_back() -> None:
    world = World(rate=2.0, exchanges=[Exchange(0.5, 0.5)])
    ids = world.post(5)
    world.start()
    world.pass_time(0.6)
    world.pacer.stop()
    world.throttle.close()
    stopped = [Deferred.fromCoroutine(half.stop()) for half in (world.feeder, world.recovery)]
    stopped.append(Deferred.fromCoroutine(world.sender.drain()))
    world.pass_time(2.0)
    assert all(each.called for each in stopped)
    states = [world.found(id).state for id in ids]
    assert states.count(State.SENT) == len(world.gateway.arrivals) == 2
    assert states.count(State.QUEUED) == 3


def test_a_try_limit_ends_in_a_dead_letter() -> None:
    world = World(rate=5.0, exchanges=[Exchange(0.01, 0.01, Postponed(reason="busy"))], attempts=3)
    (id,) = world.post()
    world.start()
    world.pass_time(20.0)
    assert (len(world.gateway.arrivals), world.found(id).state) == (3, State.DEAD)


def test_accepted_twice_in_the_same_moment_is_still_two_messages() -> None:
    world = World(rate=5.0, exchanges=[Exchange(0.01, 0.01, Accepted(provider_id="x"))])
    ids = world.post(2)
    world.start()
    world.pass_time(2.0)
    assert sorted(id for _, id in world.gateway.arrivals) == ids


def test_not_found_is_believed_as_of_the_question_and_not_of_an_answer_that_took_long() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01, Unanswered(reason="reset")), GOOD])
    world.gateway.lookup_s = 9.0
    world.gateway.lookups = iter([NotFound(), Found(provider_id="late")])
    (id,) = world.post()
    world.start()
    world.pass_time(40.0)
    assert len(world.gateway.arrivals) == 1
    assert world.found(id).provider_id == "late"


def test_an_interrupted_look_loses_no_lease() -> None:
    world = World(rate=20.0, exchanges=[Exchange(0.0, 0.0, Unanswered(reason="reset"))])
    ids = world.post(4)
    world.start()
    world.pass_time(0.2)
    world.gateway.lookup_s = 60.0
    world.pass_time(1.0)
    assert {world.found(id).state for id in ids} == {State.UNCERTAIN}
    stopped = Deferred.fromCoroutine(world.recovery.stop())
    assert stopped.called
    leases: list[Lease] = []
    Deferred.fromCoroutine(world.spool.lease(1e6, 9, State.UNCERTAIN)).addCallback(leases.extend)
    assert len(leases) == 4


def test_a_restart_waits_out_what_an_earlier_process_may_have_sent() -> None:
    world = World(rate=2.0, exchanges=[GOOD])
    world.post(3)
    world.throttle.start()
    world.start()
    world.pass_time(0.99)
    assert world.gateway.arrivals == []
    world.pass_time(1.0)
    assert len(world.gateway.arrivals) == 2


class BrokenOnce(MemorySpool):
    """An engine with a fault that shows once."""

    is_broken = True

    async def store(self, lease: Lease, after: Message) -> Lease:
        if self.is_broken:
            self.is_broken = False
            raise ValueError("a fault of the engine")
        return await super().store(lease, after)


def test_a_fault_costs_one_message_its_turn_but_not_the_lane_its_permit() -> None:
    world = World(rate=1.0, exchanges=[GOOD], spool=BrokenOnce(limit=100))
    _, other = world.post(2)
    with capturedLogs() as logged:
        world.start()
        world.pass_time(4.0)
    assert [sent for _, sent in world.gateway.arrivals] == [other]
    assert [event["log_level"].name for event in logged if "send broke" in event["log_format"]] == ["critical"]


class TakenOver(MemorySpool):
    """An engine of which another node has taken what was being sent when it is to be settled."""

    async def store(self, lease: Lease, after: Message) -> Lease:
        if after.state is not State.SENDING:
            raise LeaseLost(id=after.id, state="uncertain")
        return await super().store(lease, after)


def test_an_answer_that_comes_when_another_node_has_the_message_is_told_of_and_breaks_nothing() -> None:
    world = World(rate=1.0, exchanges=[GOOD], spool=TakenOver(limit=100))
    (id,) = world.post()
    with capturedLogs() as logged:
        world.start()
        world.pass_time(2.0)
    assert [each.detail for each in world.notebook.notices if each.what is What.FAULT] == [
        f"Message {id} is no longer ours to send: it is uncertain."
    ]
    assert not logged
