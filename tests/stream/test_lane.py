"""Several nodes on one log: who sends, and what becomes of who thinks that he does."""

import random
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import LeaseLost, NotAllowed, SpoolRefused, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.outcome import Accepted
from smsd.core.quota import Quota, QuotaExceeded
from smsd.core.retry import Backoff
from smsd.core.settle import Policy, begin, cancel, settle
from smsd.spool.stream import command
from smsd.spool.stream.engine import StreamSpool
from smsd.spool.stream.follower import FAILING_S
from tests.messages import NOW, ROOM, sms
from tests.stream.memorylog import MemoryLog, Shard

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=1.0))
LEASE_S, PAUSE_S = 6.0, 1.5


class Clock:
    """The real reactor, but for the time."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.now = 0.0

    def seconds(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@attrs.define
class World:
    shard: Shard
    clock: Clock
    folder: Path
    opened: list[StreamSpool] = attrs.field(factory=list)

    def node(self, ledger: str | None = None, **more: Any) -> StreamSpool:
        name = ledger or f"ledger{len(self.opened)}.db"
        log = MemoryLog(more.pop("shard", self.shard))
        times = {"lease_s": LEASE_S, "pause_s": PAUSE_S, "follow_s": 1e9}
        node = StreamSpool(
            log, **{"name": "log", "ledger": str(self.folder / name), "reactor": self.clock} | times | more
        )
        node.open()
        self.opened.append(node)
        return node

    async def kill(self, node: StreamSpool) -> None:
        """End ``node`` without its saying so to anybody."""
        self.shard.is_cut = True
        await node.close()
        self.shard.is_cut = False


@pytest_twisted.async_yield_fixture
async def world(tmp_path: Path, reactor: Any) -> AsyncIterator[World]:
    world = World(Shard(), Clock(reactor), tmp_path)
    yield world
    world.shard.is_cut = False
    for node in world.opened:
        await node.close()


def ids(leases):
    return [lease.message.id for lease in leases]


@ensureDeferred
async def test_one_node_sends_and_all_know_of_it(world):
    owner, standby = world.node(), world.node()
    message = sms()
    await standby.append([message], ROOM)
    [lease] = await owner.lease(NOW, 9)
    assert await standby.lease(NOW, 9) == []
    sending = await owner.store(lease, begin(lease.message, NOW, "test"))
    sent = settle(sending.message, Accepted(provider_id="p"), NOW, POLICY, 0.0)
    await owner.store(sending, sent)
    await standby.lease(NOW, 0)
    with pytest.raises(NotAllowed, match="sent cannot become canceled"):
        await standby.amend(message.id, lambda stored: cancel(stored, NOW))
    assert await standby.find(message.id) == sent


@ensureDeferred
async def test_a_message_that_another_node_accepted_is_found_at_once(world):
    one, other = world.node(), world.node()
    message = sms()
    await one.append([message], ROOM)
    assert await other.find(message.id) == message


@ensureDeferred
async def test_a_standby_takes_over_when_the_owner_was_silent_for_a_lease_and_waits_before_it_sends(world):
    owner, standby = world.node(), world.node()
    messages = [sms(), sms()]
    await owner.append(messages, ROOM)
    [lease] = await owner.lease(NOW, 1)
    await owner.store(lease, begin(lease.message, NOW, "test"))
    await standby.amend(messages[1].id, lambda stored: stored)
    world.clock.now = LEASE_S - 0.1
    assert await standby.lease(NOW, 9) == []
    world.clock.now = LEASE_S + 0.1
    assert await standby.lease(NOW, 9) == []  # it has the lane, and waits
    world.clock.now = LEASE_S + PAUSE_S + 0.2
    assert ids(await standby.lease(NOW, 9)) == [messages[1].id]
    assert (await standby.find(messages[0].id)).state is State.UNCERTAIN


@ensureDeferred
async def test_a_node_that_starts_with_nothing_left_to_read_leaves_the_lane_to_its_owner(world):
    one = world.node("a.db")
    owner = world.node("b.db")
    await owner.append([sms(), sms()], ROOM)
    [lease] = await owner.lease(NOW, 1)
    await one.standing()
    await one.amend(lease.message.id, lambda stored: stored)
    await one.close()
    back = world.node("a.db")
    assert await back.lease(NOW, 9) == []
    world.clock.now = PAUSE_S + 0.1
    assert await back.lease(NOW, 9) == []
    await owner.store(lease, begin(lease.message, NOW, "test"))


@ensureDeferred
async def test_a_sender_that_was_killed_and_is_back_with_its_ledger_need_not_wait_for_its_own_lease(world):
    owner = world.node("a.db")
    await owner.append([sms()], ROOM)
    await owner.lease(NOW, 1)
    await world.kill(owner)
    shutil.copy(world.folder / "a.db", world.folder / "copy.db")
    copied, back = world.node("copy.db"), world.node("a.db")
    for each in (copied, back):
        assert await each.lease(NOW, 9) == []
    world.clock.now = PAUSE_S + 0.1
    assert await copied.lease(NOW, 9) == []  # for all that it knows the owner is alive
    assert len(await back.lease(NOW, 9)) == 1


@ensureDeferred
async def test_who_has_lost_the_lane_can_store_nothing_and_lease_nothing(world):
    zombie, heir = world.node(), world.node()
    await zombie.append([sms(), sms()], ROOM)
    first, second = await zombie.lease(NOW, 2)
    sending = await zombie.store(first, begin(first.message, NOW, "test"))
    assert sending.until == LEASE_S
    await heir.amend(second.message.id, lambda stored: stored)
    world.clock.now = 2 * LEASE_S
    await heir.lease(NOW, 9)
    for lease, after in (
        (second, begin(second.message, NOW, "test")),
        (sending, settle(sending.message, Accepted(provider_id="p"), NOW, POLICY, 0.0)),
    ):
        with pytest.raises(LeaseLost):
            await zombie.store(lease, after)
    assert await zombie.lease(NOW, 9) == []
    world.clock.now += PAUSE_S
    assert ids(await heir.lease(NOW, 9)) == [second.message.id]


@ensureDeferred
async def test_a_sign_of_life_keeps_the_lane(world):
    owner, standby = world.node(), world.node()
    messages = [sms() for _ in range(6)]
    await owner.append(messages, ROOM)
    await owner.lease(NOW, 1)
    for step in range(1, 6):
        world.clock.now = step * LEASE_S * 0.7
        [lease] = await owner.lease(NOW, 1)
        assert lease.until > world.clock.now
        await owner.store(lease, begin(lease.message, NOW, "test"))
        await standby.amend(messages[0].id, lambda stored: stored)
        assert await standby.lease(NOW, 9) == []


@ensureDeferred
async def test_a_claim_that_has_not_seen_the_last_sign_of_life_does_not_count(world):
    owner = world.node()
    messages = [sms(), sms()]
    await owner.append(messages, ROOM)
    first, second = await owner.lease(NOW, 2)
    late = [(command.CLAIM_LANE, 2, 1)]
    await owner.store(first, begin(first.message, NOW, "test"))
    world.shard.entries += command.entries(late, author="late", number=1, epoch=0, largest=2000)
    await owner.store(second, begin(second.message, NOW, "test"))


@ensureDeferred
async def test_an_owner_that_leaves_is_followed_at_once(world):
    owner, standby = world.node(), world.node()
    await owner.append([sms()], ROOM)
    await owner.lease(NOW, 1)
    await owner.close()
    await standby.append([sms()], ROOM)
    assert await standby.lease(NOW, 9) == []
    world.clock.now += PAUSE_S
    assert len(await standby.lease(NOW, 9)) == 2


@ensureDeferred
async def test_a_node_that_is_cut_off_sends_nothing_once_its_lease_is_over_and_says_so(world):
    node = world.node()
    await node.append([sms()], ROOM)
    [lease] = await node.lease(NOW, 1)
    world.shard.is_cut = True
    for call in (node.append([sms()], ROOM), node.store(lease, begin(lease.message, NOW, "test"))):
        with pytest.raises(SpoolUnavailable, match="the network is cut"):
            await call
    world.clock.now = LEASE_S
    with pytest.raises(SpoolUnavailable, match="the network is cut"):
        await node.lease(NOW, 1)
    world.shard.is_cut = False
    world.clock.now += FAILING_S
    await node.store(lease, begin(lease.message, NOW, "test"))


async def refused(*calls):
    errors = []
    every = [Deferred.fromCoroutine(call).addErrback(lambda failure: errors.append(failure.type)) for call in calls]
    await gatherResults(every)
    return errors


@ensureDeferred
async def test_an_idempotency_key_and_a_quota_are_one_for_all_nodes(world):
    two = [world.node(), world.node()]
    claim = Claim(api_key="demo", key="k", fingerprint="f", at=NOW, until=NOW + 60, answer=lambda place: "a")
    assert await refused(*(each.append([sms()], ROOM, claim) for each in two for _ in range(5))) == [Claimed] * 9
    quota = Quota(name="rate", limit=5, window_s=60)
    appends = (each.append([sms(api_key="shop")], ROOM, None, [quota]) for each in two for _ in range(5))
    assert await refused(*appends) == [QuotaExceeded] * 5


@ensureDeferred
async def test_of_amendments_on_several_nodes_none_is_lost(world):
    two = [world.node(), world.node()]
    message = sms()
    await two[0].append([message], ROOM)
    count: Callable[[Any], Any] = lambda stored: attrs.evolve(stored, attempts=stored.attempts + 1)  # noqa: E731
    await gatherResults([Deferred.fromCoroutine(each.amend(message.id, count)) for each in two for _ in range(8)])
    assert (await two[0].amend(message.id, lambda stored: stored)).attempts == 16


@ensureDeferred
async def test_what_the_stream_has_twice_counts_once(world):
    world.shard.is_twice = True
    node = world.node()
    quota = Quota(name="rate", limit=3, window_s=60)
    await node.append([sms(), sms()], ROOM, None, [quota])
    await node.append([sms()], ROOM, None, [quota])
    assert (await world.node().standing()).states[State.QUEUED] == 3


@ensureDeferred
async def test_a_list_that_is_larger_than_an_entry_counts_whole_or_not_at_all(world):
    one = world.node()
    await one.append([sms(body=random.randbytes(300).hex()) for _ in range(50)], ROOM)
    assert len(world.shard.entries) > 5
    torn = Shard(entries=world.shard.entries[:-1])
    assert (await world.node(shard=torn).standing()).states[State.QUEUED] == 0
    assert (await world.node().standing()).states[State.QUEUED] == 50


@ensureDeferred
async def test_a_ledger_goes_on_where_it_was_and_a_new_one_comes_to_the_same(world):
    one = world.node("a.db")
    await one.append([sms(), sms()], ROOM)
    await one.close()
    await world.node("b.db").append([sms()], ROOM)
    again, new = world.node("a.db"), world.node("c.db")
    assert await again.standing() == await new.standing()
    assert (await new.standing()).states[State.QUEUED] == 3


@ensureDeferred
async def test_nodes_that_share_a_folder_take_the_first_ledger_that_is_free_and_of_their_log(world):
    one, other = world.node("a.db"), world.node("a.db")
    await one.append([sms()], ROOM)
    assert (await other.standing()).states[State.QUEUED] == 0  # it has not looked yet, into a ledger of its own
    await one.close()
    back = world.node("a.db")
    assert (await back.standing()).states[State.QUEUED] == 1
    made_anew = world.node("a.db", shard=Shard(identity="2"))
    assert (await made_anew.standing()).states[State.QUEUED] == 0
    assert sorted(each.name for each in world.folder.glob("*.db")) == ["a-2.db", "a-3.db", "a.db"]


def test_a_ledger_that_is_no_database_is_named(world):
    (world.folder / "a.db").write_bytes(b"x" * 100)
    with pytest.raises(SpoolRefused, match=r"a\.db: file is not a database"):
        world.node("a.db")


@ensureDeferred
async def test_what_a_newer_node_wrote_stops_this_one(world):
    node = world.node()
    await node.append([sms()], ROOM)
    world.shard.entries.append(b'[99,"x",1,0,0,1]\n[]')
    with pytest.raises(SpoolUnavailable, match="must be upgraded"):
        await node.append([sms()], ROOM)
    world.shard.entries.pop()


@ensureDeferred
async def test_what_is_no_entry_of_ours_is_passed_over(world):
    world.shard.entries += [b"hello", b"[1]", b'[1,"x",1,0,0,1]\nhello']
    assert (await world.node().append([sms()], ROOM)).first == 0
