from collections.abc import Callable
from itertools import cycle, pairwise

from twisted.internet.defer import Deferred

from smsd.core.address import Msisdn
from smsd.core.errors import SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.outcome import LookupFailed
from smsd.core.report import DeliveryStatus, Report
from smsd.core.steps import ASK_EVERY_S
from smsd.pipeline.reports import Reports
from smsd.spool.memory import MemorySpool
from tests.unit.pipeline.world import Exchange, World, most_within

HOUR = ASK_EVERY_S
ONE, OTHER = Msisdn("31633450007"), Msisdn("31633450008")


def told(status: DeliveryStatus, recipient: Msisdn = ONE, *, of: str = "m000000", reason: str = "") -> Report:
    return Report(reference=of, recipient=recipient, status=status, at=50.0, reason=reason)


def an_hour_after_it_was_sent(**changed: object) -> tuple[World, str]:
    """A world in which a message was sent, and the hour is nearly over; its id."""
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01)])
    world.start()
    (id,) = world.post(**changed)
    world.pass_time(2.0)
    assert world.found(id).state is State.SENT
    world.pass_time(HOUR - 10.0, step_s=2.0)
    assert world.gateway.asks == []
    return world, id


def kinds(world: World) -> list[What]:
    return [notice.what for notice in world.notebook.notices]


def report(world: World, report: Report) -> None:
    """The provider's own call comes in."""
    reports = Reports(ledger=world.spool, clock=world.clock, now=world.clock.seconds, reporter=world.notebook)
    assert Deferred.fromCoroutine(reports.take(report)).called


def test_a_report_that_never_comes_is_asked_for_after_an_hour() -> None:
    world, id = an_hour_after_it_was_sent()
    world.gateway.tellings = iter([(told(DeliveryStatus.DELIVERED),)])
    world.pass_time(10.0)
    assert (world.found(id).state, world.found(id).attend_at) == (State.DELIVERED, None)
    assert kinds(world) == [What.ATTEMPT, What.SENT, What.DELIVERED]
    world.pass_time(3 * HOUR, step_s=5.0)
    assert len(world.gateway.asks) == 1


def test_what_cannot_be_delivered_keeps_the_providers_reason() -> None:
    world, id = an_hour_after_it_was_sent()
    world.gateway.tellings = iter([(told(DeliveryStatus.DELIVERY_FAILED, reason="unknown subscriber"),)])
    world.pass_time(10.0)
    assert world.found(id).state is State.UNDELIVERED
    assert "unknown subscriber" in world.found(id).error


def test_without_a_verdict_it_is_asked_for_once_an_hour_for_a_day() -> None:
    world, id = an_hour_after_it_was_sent()
    world.gateway.tellings = cycle([(), (told(DeliveryStatus.BUFFERED),), LookupFailed(reason="503")])
    world.pass_time(30 * HOUR, step_s=10.0)
    times = [at for at, _ in world.gateway.asks]
    assert len(times) == 24
    assert all(HOUR <= later - at < HOUR + 60 for at, later in pairwise(times))
    assert (world.found(id).state, world.found(id).attend_at) == (State.SENT, None)
    assert kinds(world) == [What.ATTEMPT, What.SENT]


def test_a_verdict_that_comes_by_itself_spares_the_asking() -> None:
    world, _ = an_hour_after_it_was_sent()
    report(world, told(DeliveryStatus.DELIVERED))
    world.pass_time(2 * HOUR, step_s=5.0)
    assert world.gateway.asks == []


def test_a_verdict_that_comes_while_it_is_asked_for_stands() -> None:
    world, id = an_hour_after_it_was_sent()
    world.gateway.lookup_s = 5.0
    world.gateway.tellings = iter([(told(DeliveryStatus.DELIVERY_FAILED),)])
    world.pass_time(10.0)
    assert len(world.gateway.asks) == 1
    report(world, told(DeliveryStatus.DELIVERED))
    world.pass_time(10.0)
    assert world.found(id).state is State.DELIVERED
    assert kinds(world)[-1] is What.DELIVERED


def test_a_report_on_one_recipient_that_comes_meanwhile_is_not_lost() -> None:
    world, id = an_hour_after_it_was_sent(recipients=(ONE, OTHER))
    world.gateway.lookup_s = 5.0
    world.gateway.tellings = iter([(told(DeliveryStatus.SENT), told(DeliveryStatus.DELIVERED, OTHER))])
    world.pass_time(10.0)
    assert len(world.gateway.asks) == 1
    report(world, told(DeliveryStatus.DELIVERED))
    assert world.found(id).state is State.SENT
    world.pass_time(10.0)
    assert world.found(id).state is State.DELIVERED


def test_no_more_than_ten_are_asked_for_in_a_second_and_none_twice() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01)])
    ids = world.post(100, state=State.SENT, gateway="test", attend_at=1.0)
    world.start()
    world.pass_time(20.0)
    assert sorted(id for _, id in world.gateway.asks) == ids
    assert most_within([at for at, _ in world.gateway.asks], 1.0) <= 10


def test_the_longest_due_is_asked_for_first() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01)])
    (late,) = world.post(state=State.SENT, gateway="test", attend_at=2.0)
    (soon,) = world.post(state=State.SENT, gateway="test", attend_at=1.0)
    world.clock.advance(3.0)
    world.start()
    world.pass_time(2.0)
    assert [id for _, id in world.gateway.asks] == [soon, late]


def test_what_went_by_a_gateway_that_is_gone_is_asked_for_later() -> None:
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01)])
    (id,) = world.post(state=State.SENT, gateway="gone", attend_at=1.0)
    world.start()
    world.pass_time(3.0)
    assert world.gateway.asks == []
    assert HOUR < (world.found(id).attend_at or 0.0) < HOUR + 3.0


def test_a_slow_answer_holds_up_no_send() -> None:
    world, _ = an_hour_after_it_was_sent()
    world.gateway.lookup_s = 1000.0
    world.pass_time(10.0)
    assert len(world.gateway.asks) == 1
    world.post(3)
    world.pass_time(5.0)
    assert len(world.gateway.arrivals) == 4


def test_stopping_breaks_off_an_ask_and_leaves_the_message_due() -> None:
    world, id = an_hour_after_it_was_sent()
    world.gateway.lookup_s = 1000.0
    world.pass_time(10.0)
    due = world.found(id)
    stopped = Deferred.fromCoroutine(world.asking.stop())
    assert stopped.called
    assert world.found(id) == due
    leased = Deferred.fromCoroutine(world.spool.lease(world.clock.seconds(), 10, State.SENT))
    assert [lease.message.id for lease in leased.result] == [id]


class FullDisk(MemorySpool):
    """A spool that writes nothing down while it is full."""

    is_full = False

    async def amend(self, id: str, step: Callable[[Message], Message]) -> Message:
        if self.is_full:
            raise SpoolUnavailable(reason="disk full")
        return await super().amend(id, step)


def test_what_could_not_be_written_down_is_told_of_and_asked_for_again() -> None:
    spool = FullDisk()
    world = World(rate=1.0, exchanges=[Exchange(0.01, 0.01)], spool=spool)
    (id,) = world.post(state=State.SENT, gateway="test", attend_at=1.0)
    world.gateway.tellings = cycle([(told(DeliveryStatus.DELIVERED),)])
    spool.is_full = True
    world.start()
    world.pass_time(2.5)
    assert set(kinds(world)) == {What.FAULT}
    spool.is_full = False
    world.pass_time(1.5)
    assert world.found(id).state is State.DELIVERED
