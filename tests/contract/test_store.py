"""A message is moved on by whoever leases it, and by nobody else."""

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, DeferredList, gatherResults

from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.message import Event, What
from tests.messages import ROOM


def in_state(message, state, **fields):
    return attrs.evolve(message, state=state, **fields)


async def leased(spool, sms, now):
    await spool.append([sms()], ROOM)
    [lease] = await spool.lease(now, 1)
    return lease


@ensureDeferred
async def test_the_settled_message_is_the_one_that_is_found(spool, sms, now):
    lease = await leased(spool, sms, now)
    after = in_state(
        lease.message,
        State.SENDING,
        changed_at=now + 1 / 3,
        not_before=now + 2 / 3,
        attempts=1,
        attempted_at=now + 0.1,
        tried_since=now + 1 / 30,
        bundle="b1",
        asks_first=True,
        portion=3,
        sent_at=now + 0.2,
        provider_id="p1",
        error="é",
        history=(Event(at=now + 0.7, state=State.SENDING, what=What.ATTEMPT, detail="x"),),
    )
    settled = await spool.store(lease, after)
    assert settled.message == after
    assert await spool.find(after.id) == after


@ensureDeferred
async def test_the_lease_is_held_on_while_sending(spool, sms, now):
    lease = await leased(spool, sms, now)
    sending = await spool.store(lease, in_state(lease.message, State.SENDING))
    sent = await spool.store(sending, in_state(sending.message, State.SENT))
    assert (await spool.find(lease.message.id)).state is State.SENT
    assert sent.message.state is State.SENT


@ensureDeferred
async def test_any_other_state_ends_the_lease(spool, sms, now):
    lease = await leased(spool, sms, now)
    sending = await spool.store(lease, in_state(lease.message, State.SENDING))
    queued = await spool.store(sending, in_state(sending.message, State.QUEUED))
    with pytest.raises(LeaseLost):
        await spool.store(queued, in_state(queued.message, State.SENDING))
    [again] = await spool.lease(now, 9)
    assert again.message == queued.message


@ensureDeferred
async def test_what_stays_uncertain_can_be_leased_again(spool, sms, now):
    lease = await leased(spool, sms, now)
    sending = await spool.store(lease, in_state(lease.message, State.SENDING))
    await spool.store(sending, in_state(sending.message, State.UNCERTAIN))
    [asking] = await spool.lease(now, 1, State.UNCERTAIN)
    await spool.store(asking, in_state(asking.message, State.UNCERTAIN, not_before=now + 10))
    assert await spool.lease(now + 9, 1, State.UNCERTAIN) == []
    assert len(await spool.lease(now + 10, 1, State.UNCERTAIN)) == 1


@ensureDeferred
async def test_a_lease_settles_once(spool, sms, now):
    lease = await leased(spool, sms, now)
    sending = await spool.store(lease, in_state(lease.message, State.SENDING))
    sent = in_state(sending.message, State.SENT)
    await spool.store(sending, sent)
    with pytest.raises(LeaseLost) as lost:
        await spool.store(sending, in_state(sending.message, State.DEAD))
    assert (lost.value.id, lost.value.state) == (sent.id, "sent")
    assert await spool.find(sent.id) == sent


@ensureDeferred
async def test_a_lease_that_was_given_back_is_lost_to_the_next_taker(spool, sms, now):
    old = await leased(spool, sms, now)
    await spool.release(old)
    [held] = await spool.lease(now, 1)
    with pytest.raises(LeaseLost):
        await spool.store(old, in_state(old.message, State.SENDING))
    assert await spool.find(held.message.id) == held.message
    await spool.store(held, in_state(held.message, State.SENDING))


@ensureDeferred
async def test_a_lease_on_an_earlier_state_is_lost(spool, sms, now):
    lease = await leased(spool, sms, now)
    await spool.store(lease, in_state(lease.message, State.SENDING))
    with pytest.raises(LeaseLost) as lost:
        await spool.store(lease, in_state(lease.message, State.CANCELED))
    assert lost.value.state == "sending"


@ensureDeferred
async def test_of_two_settlements_at_once_the_first_counts(spool, sms, now):
    lease = await leased(spool, sms, now)
    ends = [in_state(lease.message, State.EXPIRED), in_state(lease.message, State.CANCELED)]
    results = await DeferredList([Deferred.fromCoroutine(spool.store(lease, end)) for end in ends], consumeErrors=True)
    assert [is_done for is_done, _ in results] == [True, False]
    assert await spool.find(lease.message.id) == ends[0]
    depth = (await spool.standing()).states
    assert (depth[State.EXPIRED], depth[State.CANCELED], depth[State.QUEUED]) == (1, 0, 0)


@ensureDeferred
async def test_settlements_at_once_are_each_answered_with_their_own(spool, sms, now):
    await spool.append([sms() for _ in range(300)], ROOM)
    leases = await spool.lease(now, 300)
    afters = [in_state(lease.message, State.SENDING, attempts=n) for n, lease in enumerate(leases)]
    pairs = zip(leases, afters, strict=True)
    settled = await gatherResults([Deferred.fromCoroutine(spool.store(*pair)) for pair in pairs])
    assert [lease.message for lease in settled] == afters
    assert [await spool.find(each.id) for each in afters] == afters


@ensureDeferred
async def test_appends_and_settlements_at_once_do_not_disturb_each_other(spool, sms, now):
    await spool.append([sms() for _ in range(50)], ROOM)
    leases = await spool.lease(now, 50)
    calls = []
    for lease in leases:
        calls.append(Deferred.fromCoroutine(spool.store(lease, in_state(lease.message, State.EXPIRED))))
        calls.append(Deferred.fromCoroutine(spool.append([sms()], ROOM)))
    results = await gatherResults(calls)
    # One goes and one comes, in groups: at no moment fewer than 49 or more than 99 are ahead.
    assert all(49 <= place.first <= 99 for place in results[1::2])
    depth = (await spool.standing()).states
    assert (depth[State.QUEUED], depth[State.EXPIRED]) == (50, 50)
