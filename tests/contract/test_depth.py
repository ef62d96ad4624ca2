"""How many messages are in each state is known at any moment."""

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.message import Priority
from tests.messages import ROOM


def only(**counts):
    return {state: counts.get(state.value, 0) for state in State}


@ensureDeferred
async def test_an_empty_spool_has_none_in_any_state(spool):
    assert (await spool.standing()).states == only()


@ensureDeferred
async def test_every_step_of_a_message_is_counted(spool, sms, now):
    await spool.append([sms(), sms(), sms()], ROOM)
    assert (await spool.standing()).states == only(queued=3)
    first, second = await spool.lease(now, 2)
    assert (await spool.standing()).states == only(queued=3)
    first = await spool.store(first, attrs.evolve(first.message, state=State.SENDING))
    second = await spool.store(second, attrs.evolve(second.message, state=State.SENDING))
    assert (await spool.standing()).states == only(queued=1, sending=2)
    await spool.store(first, attrs.evolve(first.message, state=State.SENT))
    await spool.store(second, attrs.evolve(second.message, state=State.QUEUED))
    assert (await spool.standing()).states == only(queued=2, sent=1)


@ensureDeferred
async def test_a_settlement_that_was_lost_is_not_counted(spool, sms, now):
    await spool.append([sms()], ROOM)
    [lease] = await spool.lease(now, 1)
    await spool.store(lease, attrs.evolve(lease.message, state=State.EXPIRED))
    with pytest.raises(LeaseLost):
        await spool.store(lease, attrs.evolve(lease.message, state=State.SENDING))
    assert (await spool.standing()).states == only(expired=1)


@ensureDeferred
async def test_what_was_answered_is_not_changed_by_what_follows(spool, sms):
    before = (await spool.standing()).states
    await spool.append([sms()], ROOM)
    assert before == only()


@ensureDeferred
async def test_what_has_become_due_is_in_line_by_every_count(spool, sms, now):
    later = sms(not_before=now + 60)
    await spool.append([later], ROOM)
    assert (await spool.standing()).in_line == {}
    [lease] = await spool.lease(now + 60, 9)
    await spool.release(lease)
    standing = await spool.standing()
    assert (standing.in_line, standing.oldest) == ({later.line: 1}, now + 60)
    assert (await spool.ahead(later.id)).first == 0


@ensureDeferred
async def test_since_when_the_first_of_each_priority_is_in_line_is_known(spool, sms, now):
    low = {"priority": Priority.LOW}
    waiting = [
        sms(not_before=now - 30, changed_at=now - 30),
        sms(),
        sms(not_before=now - 10, changed_at=now - 10, **low),
    ]
    await spool.append([*waiting, sms(not_before=now + 60, **low)], ROOM)
    standing = await spool.standing()
    assert standing.firsts == {Priority.NORMAL: now - 30, Priority.LOW: now - 10}
    assert standing.oldest == now - 30
