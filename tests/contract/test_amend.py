"""What a ledger promises of a message that is changed by somebody other than its sender."""

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.errors import LeaseLost, NotAllowed, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.settle import begin, cancel, revive
from tests.messages import ROOM, message


@ensureDeferred
async def test_an_amendment_is_stored_and_counted(spool):
    await spool.append([message("a"), message("b")], ROOM)
    canceled = await spool.amend("a", lambda stored: cancel(stored, 5.0))
    assert canceled.state is State.CANCELED
    assert await spool.find("a") == canceled
    depth = (await spool.standing()).states
    assert (depth[State.QUEUED], depth[State.CANCELED]) == (1, 1)


@ensureDeferred
async def test_what_the_step_refuses_is_raised_and_nothing_changes(spool):
    await spool.append([message("a")], ROOM)
    with pytest.raises(NotAllowed):
        await spool.amend("a", lambda stored: revive(stored, 5.0))
    assert (await spool.find("a")).state is State.QUEUED
    assert (await spool.standing()).states[State.QUEUED] == 1


@ensureDeferred
async def test_an_unknown_message_cannot_be_amended(spool):
    with pytest.raises(UnknownMessage):
        await spool.amend("nobody", lambda stored: stored)


@ensureDeferred
async def test_a_canceled_message_is_never_leased(spool):
    await spool.append([message("a"), message("b")], ROOM)
    await spool.amend("a", lambda stored: cancel(stored, 5.0))
    assert [lease.message.id for lease in await spool.lease(9.0, 10)] == ["b"]


@ensureDeferred
async def test_canceling_a_leased_message_costs_its_holder_the_lease(spool):
    await spool.append([message("a")], ROOM)
    (lease,) = await spool.lease(9.0, 10)
    await spool.amend("a", lambda stored: cancel(stored, 5.0))
    with pytest.raises(LeaseLost, match="it is canceled"):
        await spool.store(lease, begin(lease.message, 9.0, "test"))


@ensureDeferred
async def test_a_message_that_is_being_sent_cannot_be_canceled(spool):
    await spool.append([message("a")], ROOM)
    (lease,) = await spool.lease(9.0, 10)
    await spool.store(lease, begin(lease.message, 9.0, "test"))
    with pytest.raises(NotAllowed, match="sending cannot become canceled"):
        await spool.amend("a", lambda stored: cancel(stored, 9.5))


@ensureDeferred
async def test_a_dead_letter_that_is_revived_can_be_leased_again(spool):
    await spool.append([message("a")], ROOM)
    (lease,) = await spool.lease(9.0, 10)
    sending = await spool.store(lease, begin(lease.message, 9.0, "test"))
    await spool.store(sending, attrs.evolve(sending.message, state=State.DEAD))
    revived = await spool.amend("a", lambda stored: revive(stored, 20.0))
    assert (revived.state, revived.attempts) == (State.QUEUED, 0)
    assert [lease.message.id for lease in await spool.lease(20.0, 10)] == ["a"]
