"""What several nodes promise each other about who has a message."""

import psycopg
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.outcome import Accepted
from smsd.core.policy import Policy
from smsd.core.quota import Quota, QuotaExceeded
from smsd.core.retry import Backoff
from smsd.core.settle import begin, cancel, settle
from tests.integration.daemon import until
from tests.messages import NOW, ROOM, sms

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=1.0))


def end_leases(database):
    """Let the server's clock pass the end of every lease."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE message SET leased_until = clock_timestamp() WHERE leased_until IS NOT NULL")


def ids(leases):
    return [lease.message.id for lease in leases]


@ensureDeferred
async def test_nodes_that_lease_at_once_never_get_the_same(nodes):
    three = [nodes() for _ in range(3)]
    messages = [sms() for _ in range(90)]
    await three[0].append(messages, ROOM)
    taken = []
    while len(taken) < 90:
        rounds = await gatherResults([Deferred.fromCoroutine(each.lease(NOW, 10)) for each in three])
        taken += [id for leases in rounds for id in ids(leases)]
    assert sorted(taken) == sorted(each.id for each in messages)


@ensureDeferred
async def test_a_lease_that_has_ended_goes_to_another_node_and_the_first_can_store_nothing(nodes, database):
    stalled, other = nodes(), nodes()
    await stalled.append([sms()], ROOM)
    [old] = await stalled.lease(NOW, 1)
    assert await other.lease(NOW, 1) == []
    end_leases(database)
    [new] = await other.lease(NOW, 1)
    with pytest.raises(LeaseLost):
        await stalled.store(old, begin(old.message, NOW, "test"))
    assert (await other.find(new.message.id)).state is State.QUEUED
    await other.store(new, begin(new.message, NOW, "test"))


@ensureDeferred
async def test_what_a_node_was_sending_is_uncertain_only_once_it_is_gone(nodes, database):
    sender, other = nodes(), nodes()
    await sender.append([sms()], ROOM)
    [lease] = await sender.lease(NOW, 1)
    sending = await sender.store(lease, begin(lease.message, NOW, "test"))
    assert await other.recover(NOW + 1) == 0
    end_leases(database)
    assert await sender.recover(NOW + 1) == 0  # it is alive, and knows what it is sending
    assert await other.recover(NOW + 1) == 1
    assert await other.recover(NOW + 1) == 0
    with pytest.raises(LeaseLost):
        await sender.store(sending, settle(sending.message, Accepted(provider_id="p"), NOW, POLICY, 0.0))
    assert (await sender.find(lease.message.id)).state is State.UNCERTAIN


@ensureDeferred
async def test_a_lease_is_renewed_for_as_long_as_it_is_held(nodes):
    holder, other = nodes(lease_s=1.0), nodes(lease_s=1.0)
    await holder.append([sms(), sms()], ROOM)
    [lease] = await holder.lease(NOW, 1)
    [lapsed] = await other.lease(NOW, 1)
    other._renewing.stop()
    assert ids(await until(lambda: holder.lease(NOW, 9), "the lease that nobody renews has ended")) == ids([lapsed])
    await holder.store(lease, begin(lease.message, NOW, "test"))
    other._renewing.start(9, now=False)


@ensureDeferred
async def test_a_node_that_closes_leaves_its_leases_to_the_others(nodes):
    leaving, other = nodes(), nodes()
    await leaving.append([sms()], ROOM)
    await leaving.lease(NOW, 1)
    await leaving.close()
    assert len(await other.lease(NOW, 1)) == 1


@ensureDeferred
async def test_an_outcome_may_be_stored_again_by_who_was_not_told(nodes):
    node = nodes()
    await node.append([sms()], ROOM)
    [lease] = await node.lease(NOW, 1)
    sending = await node.store(lease, begin(lease.message, NOW, "test"))
    sent = settle(sending.message, Accepted(provider_id="p"), NOW, POLICY, 0.0)
    await node.store(sending, sent)
    assert (await node.store(sending, sent)).message == sent
    assert (await node.standing()).states[State.SENT] == 1


@ensureDeferred
async def test_the_counts_are_those_of_all_nodes(nodes):
    three = [nodes() for _ in range(3)]
    appends = [each.append([sms(), sms()], ROOM) for each in three for _ in range(10)]
    await gatherResults([Deferred.fromCoroutine(each) for each in appends])
    leases = await three[1].lease(NOW, 20)
    stores = [three[1].store(each, begin(each.message, NOW, "test")) for each in leases]
    await gatherResults([Deferred.fromCoroutine(each) for each in stores])
    for each in three:
        depth = (await each.standing()).states
        assert (depth[State.QUEUED], depth[State.SENDING]) == (40, 20)
    assert (await three[2].append([sms()], ROOM)).first == 40


async def refused(*appends):
    """What ``appends``, all at once, fail with."""
    errors = []
    calls = [Deferred.fromCoroutine(each).addErrback(lambda failure: errors.append(failure.type)) for each in appends]
    await gatherResults(calls)
    return errors


@ensureDeferred
async def test_an_idempotency_key_is_taken_once_by_all_nodes(nodes):
    two = [nodes(), nodes()]
    claim = Claim(api_key="demo", key="k", fingerprint="f", at=NOW, until=NOW + 60, answer=lambda place: "a")
    errors = await refused(*(node.append([sms()], ROOM, claim) for node in two for _ in range(10)))
    assert errors == [Claimed] * 19


@ensureDeferred
async def test_a_quota_is_one_for_all_nodes(nodes):
    two = [nodes(), nodes()]
    quota = Quota(name="rate", limit=5, window_s=60)
    for number in range(20):
        appends = (node.append([sms(api_key=f"shop{number}")], ROOM, None, [quota]) for node in two for _ in range(5))
        assert await refused(*appends) == [QuotaExceeded] * 5


@ensureDeferred
async def test_nodes_that_change_the_same_messages_in_another_order_all_succeed(nodes):
    two = [nodes(), nodes()]
    messages = [sms() for _ in range(30)]
    await two[0].append(messages, ROOM)
    forth = [two[0].amend(each.id, lambda stored: stored) for each in messages]
    back = [two[1].amend(each.id, lambda stored: stored) for each in reversed(messages)]
    await gatherResults([Deferred.fromCoroutine(each) for each in [*forth, *back]])


@ensureDeferred
async def test_a_callback_is_given_to_one_node(nodes):
    two = [nodes(), nodes()]
    urls = [f"https://{n}.example/x" for n in range(20)]
    messages = [sms(callback_url=url) for url in urls]
    await two[0].append(messages, ROOM)
    for each in messages:
        await two[0].amend(each.id, lambda stored: cancel(stored, NOW))
    takes = [node.take_callbacks(NOW, NOW + 60, 99, 5, frozenset()) for node in two for _ in range(3)]
    rounds = await gatherResults([Deferred.fromCoroutine(each) for each in takes])
    taken = [callback for callbacks in rounds for callback in callbacks]
    taken += await two[0].take_callbacks(NOW, NOW + 60, 99, 5, frozenset())
    assert sorted(each.url for each in taken) == sorted(urls)


@ensureDeferred
async def test_an_append_wakes_the_other_nodes(nodes):
    heard = []
    listening, other = nodes(), nodes()
    listening.listen(lambda: heard.append(1))
    await until(lambda: heard, "it listens")
    heard.clear()
    await other.append([sms()], ROOM)
    await until(lambda: heard, "the other node heard of it")
