"""What is held, forgotten or asked for, and when messages could last be sent."""

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.core.settle import begin, cancel, expire
from tests.messages import ROOM


async def in_state(spool, message, state, **more):
    """Append ``message`` and bring it into ``state``."""
    await spool.append([message], ROOM)
    return await spool.amend(message.id, lambda each: attrs.evolve(each, state=state, **more))


def ids(leases):
    return [lease.message.id for lease in leases]


@ensureDeferred
async def test_what_waits_past_its_validity_is_named_wherever_it_stands(spool, sms, now):
    soon, later, never = sms(valid_until=now + 10), sms(valid_until=now + 20), sms()
    scheduled, gone = sms(valid_until=now + 5, not_before=now + 4), sms(valid_until=now + 1)
    await spool.append([never, later, soon, scheduled, gone], ROOM)
    await spool.lease(now, 0)
    await spool.amend(gone.id, lambda each: cancel(each, now))
    await spool.hold(now + 1, 9)
    assert await spool.overdue(now + 4.9, 9) == []
    assert set(await spool.overdue(now + 19.9, 9)) == {scheduled.id, soon.id}
    assert len(await spool.overdue(now + 20, 2)) == 2
    await spool.amend(soon.id, lambda each: expire(each, now + 20))
    assert set(await spool.overdue(now + 20, 9)) == {scheduled.id, later.id}
    assert await spool.ahead(soon.id) is None


@ensureDeferred
async def test_what_is_held_is_not_leased_until_it_is_let_go(spool, sms, now):
    old, new = sms(), sms(accepted_at=now + 50, changed_at=now + 50, not_before=now + 50)
    await spool.append([old, new], ROOM)
    await spool.lease(now + 50, 0)  # the time of the second has come
    assert await spool.hold(now + 10, 100) == 1
    assert await spool.hold(now + 10, 100) == 0
    assert (await spool.find(old.id)).is_held
    assert await spool.ahead(old.id) is None
    assert ids(await spool.lease(now + 50, 9)) == [new.id]
    assert await spool.unhold(now + 1, now + 60, 9) == 0
    assert await spool.unhold(now, now + 60, 9) == 1
    assert ids(await spool.lease(now + 50, 9)) == [old.id]


@ensureDeferred
async def test_what_is_scheduled_for_later_is_not_held_for_being_old(spool, sms, now):
    await spool.append([sms(not_before=now + 100)], ROOM)
    assert await spool.hold(now + 10, 100) == 0


@ensureDeferred
async def test_holding_is_done_in_steps(spool, sms, now):
    await spool.append([sms() for _ in range(5)], ROOM)
    assert [await spool.hold(now + 1, 2) for _ in range(4)] == [2, 2, 1, 0]


@ensureDeferred
async def test_what_is_held_can_be_listed_canceled_and_expired(spool, sms, now):
    messages = [sms(), sms(), sms()]
    await spool.append(messages, ROOM)
    await spool.hold(now + 1, 2)
    held = [each.id for each in (await spool.search(Query(is_held=True))).messages]
    assert held == [messages[1].id, messages[0].id]
    await spool.amend(held[0], lambda each: cancel(each, now))
    await spool.amend(held[1], lambda each: expire(each, now))
    assert (await spool.search(Query(is_held=True))).messages == ()
    place = await spool.append([sms()], ROOM)
    assert place.first == 1


@pytest.mark.parametrize("state", [State.SENT, State.DELIVERED, State.UNDELIVERED, State.EXPIRED, State.CANCELED])
@ensureDeferred
async def test_finished_messages_lose_their_text_and_numbers(spool, sms, now, state):
    message = await in_state(spool, sms(), state, changed_at=now)
    assert await spool.forget(now, 9) == 0
    assert await spool.forget(now + 1, 9) == 1
    assert await spool.forget(now + 1, 9) == 0
    found = (await spool.search(Query(recipient=message.recipients[0]))).messages
    assert found == ()


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.UNCERTAIN, State.DEAD])
@ensureDeferred
async def test_what_may_still_be_sent_is_kept(spool, sms, now, state):
    message = await in_state(spool, sms(), state, changed_at=now)
    assert await spool.forget(now + 9e9, 9) == 0
    assert (await spool.find(message.id)).body


@ensureDeferred
async def test_forgetting_is_done_in_steps_and_takes_incoming_messages_too(spool, sms, inbound, now):
    for _ in range(3):
        await in_state(spool, sms(), State.DELIVERED, changed_at=now)
    await spool.receive(inbound("a"), None)
    assert sum([await spool.forget(now + 9e9, 2) for _ in range(3)]) == 4
    assert await spool.received(9) == ([], None)


@ensureDeferred
async def test_what_was_sent_is_handed_out_when_it_is_to_be_asked_for(spool, sms, now):
    late = await in_state(spool, sms(), State.SENT, attend_at=now + 20)
    soon = await in_state(spool, sms(), State.SENT, attend_at=now + 10)
    await in_state(spool, sms(), State.SENT)
    assert await spool.lease(now + 9, 9, State.SENT) == []
    [lease] = await spool.lease(now + 10, 9, State.SENT)
    assert lease.message == soon
    assert ids(await spool.lease(now + 30, 9, State.SENT)) == [late.id]
    await spool.store(lease, attrs.evolve(soon, attend_at=now + 40))
    assert await spool.lease(now + 39, 9, State.SENT) == []
    assert ids(await spool.lease(now + 40, 9, State.SENT)) == [soon.id]


@ensureDeferred
async def test_the_last_time_that_messages_could_be_sent_is_remembered(spool, now):
    assert await spool.beat(now) is None
    assert await spool.beat(now + 5) == now
    assert await spool.beat(now + 6) == now + 5


@ensureDeferred
async def test_the_limit_counts_recipients(spool, sms, now):
    from smsd.core.address import Msisdn
    from smsd.core.errors import SpoolFull

    many = tuple(Msisdn(f"3160000{n:04}") for n in range(40))
    await spool.append([sms(recipients=many)], 50)
    with pytest.raises(SpoolFull) as full:
        await spool.append([sms(recipients=many)], 50)
    assert (full.value.waiting, full.value.asked, full.value.messages) == (40, 40, 1)
    [lease] = await spool.lease(now, 1)
    await spool.store(lease, begin(lease.message, now, "test"))
    await spool.append([sms(recipients=many)], 50)


@ensureDeferred
async def test_what_was_let_go_is_not_stale_at_once_again(spool, sms, now):
    await spool.append([sms()], ROOM)
    assert await spool.hold(now + 10, 9) == 1
    assert await spool.unhold(0.0, now + 60, 9) == 1
    assert await spool.hold(now + 60, 9) == 0
    assert await spool.hold(now + 61, 9) == 1
