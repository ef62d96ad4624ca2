"""Several nodes on one log: who sends, and what becomes of who thinks that he does."""

import shutil

import pytest
from pytest_twisted import ensureDeferred

from smsd.core.errors import LeaseLost, NotAllowed, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.outcome import Accepted
from smsd.core.settle import begin, cancel, settle
from smsd.spool.stream import command
from smsd.spool.stream.follower import FAILING_S
from tests.messages import NOW, ROOM, sms
from tests.stream.world import LEASE_S, PAUSE_S, POLICY


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
