"""Several nodes on one log: what all of them come to alike."""

import random
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.quota import Quota, QuotaExceeded
from smsd.core.settle import begin
from tests.messages import NOW, ROOM, sms
from tests.stream.memorylog import Shard


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


@ensureDeferred
async def test_what_a_node_does_by_itself_does_not_part_what_it_writes(world):
    node = world.node()
    first, second = sms(), sms()
    await node.append([first], ROOM)
    [lease] = await node.lease(NOW, 1)
    before = len(world.shard.entries)
    calls = (
        node.append([second], ROOM),
        node.lease(NOW, 1),
        node.store(lease, begin(first, NOW, "test")),
        node.release(lease),
    )
    _, leased, sending, _ = await gatherResults([Deferred.fromCoroutine(call) for call in calls])
    assert len(world.shard.entries) == before + 1
    assert [each.message.id for each in leased] == [second.id]
    assert (sending.message.id, sending.message.state) == (first.id, State.SENDING)
