"""The second gateway takes over while the first does not work, and never what the first may have."""

from collections.abc import Iterable
from itertools import chain, repeat

import pytest

from smsd.core.lifecycle import State
from smsd.core.outcome import Found, HeldOff, LookupFailed, NotFound, Postponed, Throttled, Unanswered
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.pipeline.failover import Failover, Way
from smsd.pipeline.hold import FAILING_S, IN_A_ROW, Hold
from smsd.pipeline.lane import Lane
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.sender import Sender
from smsd.pipeline.throttle import PermitThrottle
from tests.unit.pipeline.world import Exchange, TimedGateway, World, most_within

GOOD = Exchange(0.01, 0.01)
WRONG_KEY = Exchange(0.01, 0.01, HeldOff(reason="wrong key"))
AWAY = Exchange(0.01, 0.01, Postponed(reason="refused"))
CUT = Exchange(0.01, 0.01, Unanswered(reason="reset"))
AFTER_S = 10.0


class TwoWays(World):
    """The sending half with a second gateway behind the first."""

    def __init__(self, exchanges: Iterable[Exchange], *, rate: float = 5.0) -> None:
        super().__init__(rate=rate, exchanges=exchanges)
        clock = self.clock
        told = {"clock": clock, "now": clock.seconds, "reporter": self.notebook}
        policy = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0))
        self.second = TimedGateway(clock, [GOOD])
        self.second.repeatable_s = 7200.0
        hold, throttle = Hold(backoff=policy.backoff, **told), PermitThrottle(rate=rate, clock=clock)
        lane = Lane(name="second", gateway=self.second, throttle=throttle, hold=hold)
        refill, wake = self.feeder.refill, self.feeder.wake
        sender = Sender(outbox=self.spool, lane=lane, policy=policy, refill=refill, draw=lambda: 0.5, **told)
        ways = [Way(lane=self.lane, sender=self.sender), Way(lane=lane, sender=sender)]
        self.failover = Failover(ways=ways, after_s=AFTER_S)
        self.pacer = Pacer(rate=rate, window=self.window, sender=self.failover, wake=wake, clock=clock)
        lanes = {each.name: each for each in (self.lane, lane)}
        self.recovery = Recovery(
            outbox=self.spool,
            lanes=lanes,
            senders={way.lane.name: way.sender for way in ways},
            policy=policy,
            wake=wake,
            draw=lambda: 0.5,
            **told,
        )

    def by_first(self) -> list[str]:
        return [id for _, id in self.gateway.arrivals]

    def by_second(self) -> list[str]:
        return [id for _, id in self.second.arrivals]


def test_while_the_first_works_the_second_gets_nothing_however_much_waits() -> None:
    world = TwoWays([Exchange(0.5, 0.5)])
    ids = world.post(40)
    world.start()
    world.pass_time(60.0)
    assert (world.by_first(), world.by_second()) == (ids, [])


@pytest.mark.parametrize("trouble", [WRONG_KEY, AWAY])
def test_the_second_takes_over_after_the_time_and_not_before(trouble: Exchange) -> None:
    world = TwoWays([trouble])
    ids = world.post(30)
    world.start()
    world.pass_time(AFTER_S)
    assert world.by_second() == []
    world.pass_time(120.0)
    assert sorted(world.by_second()) == ids
    assert all(world.found(id).state is State.SENT for id in ids)


def test_one_that_only_wants_fewer_requests_is_not_left() -> None:
    world = TwoWays([Exchange(0.01, 0.01, Throttled(reason="429", retry_after_s=5.0))])
    world.post(5)
    world.start()
    world.pass_time(60.0)
    assert world.by_second() == []
    assert world.hold.troubled_s == 0.0


def test_what_fails_and_then_takes_nothing_is_in_trouble_since_it_failed() -> None:
    world = TwoWays([GOOD])
    for outcome in [Postponed(reason="refused")] * IN_A_ROW:
        world.hold.note(outcome, world.clock.seconds())
        world.clock.advance(FAILING_S / (IN_A_ROW - 1))
    world.clock.advance(7.0)
    world.hold.note(HeldOff(reason="wrong key"), world.clock.seconds())
    world.clock.advance(2.0)
    assert world.hold.troubled_s == 9.0 + FAILING_S / (IN_A_ROW - 1)


def test_the_first_gets_all_back_once_it_works() -> None:
    world = TwoWays(chain(repeat(WRONG_KEY, 8), repeat(GOOD)))
    world.start()
    for _ in range(60):  # each probe is one of these
        world.post(2)
        world.pass_time(5.0)
    assert world.by_second()
    assert not world.hold.reason
    count = len(world.by_second())
    late = world.post(5)
    world.pass_time(10.0)
    assert world.by_first()[-5:] == late
    assert len(world.by_second()) == count


def test_what_the_first_may_have_never_goes_to_the_second() -> None:
    world = TwoWays(chain(repeat(CUT, 5), repeat(WRONG_KEY)))
    world.gateway.lookups = repeat(LookupFailed(reason="503"))
    ids = world.post(12)
    world.start()
    world.pass_time(2 * 3600.0, step_s=0.25)
    doubted = set(ids[:5])
    assert doubted & set(world.by_second()) == set()
    assert {id for id in ids if world.found(id).state is State.SENT} == set(ids[5:])


def test_what_the_first_surely_does_not_have_goes_to_the_second() -> None:
    world = TwoWays(chain([CUT], repeat(WRONG_KEY)))
    world.gateway.lookups = repeat(NotFound())
    ids = world.post(6)
    world.start()
    world.pass_time(120.0)
    assert sorted(world.by_second()) == ids


def test_a_repeat_of_what_the_second_may_have_does_not_go_to_the_first() -> None:
    world = TwoWays([GOOD])
    world.second.lookups = repeat(Found(provider_id="theirs"))
    (id,) = world.post(gateway="second", attempts=1, attempted_at=0.0, tried_since=0.0)
    world.start()
    world.pass_time(10.0)
    assert world.by_first() == world.by_second() == []
    assert world.found(id).provider_id == "theirs"


def test_each_gateway_keeps_its_own_pace() -> None:
    world = TwoWays([WRONG_KEY], rate=2.0)
    world.post(40)
    world.start()
    world.pass_time(60.0)
    for gateway in (world.gateway, world.second):
        assert most_within([at for at, _ in gateway.arrivals], 1.0) <= 2


def test_only_when_no_way_works_there_is_trouble() -> None:
    world = TwoWays([WRONG_KEY])
    world.post(5)
    world.start()
    world.pass_time(5.0)
    assert world.hold.reason
    assert world.failover.trouble == ""
