"""What only the memory engine does: it is small, and says so."""

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolFull, UnknownMessage
from smsd.core.lifecycle import State
from smsd.spool.memory import MemorySpool
from tests.messages import NOW, ROOM, sms


def opened(**limits: int) -> MemorySpool:
    spool = MemorySpool(**limits)
    spool.open()
    return spool


async def finish(spool: MemorySpool) -> None:
    for lease in await spool.lease(NOW, 999):
        await spool.store(lease, attrs.evolve(lease.message, state=State.EXPIRED))


@ensureDeferred
async def test_a_hundred_may_wait_and_no_more():
    spool = opened()
    await spool.append([sms() for _ in range(98)], ROOM)
    with pytest.raises(SpoolFull) as full:
        await spool.append([sms(), sms(), sms()], ROOM)
    assert (full.value.waiting, full.value.limit, full.value.retry_after_s) == (98, 100, 1)
    assert (await spool.append([sms(), sms()], ROOM)).first == 98
    with pytest.raises(SpoolFull):
        await spool.append([sms()], ROOM)
    assert (await spool.standing()).states[State.QUEUED] == 100


@ensureDeferred
async def test_there_is_room_again_once_one_is_being_sent():
    spool = opened(limit=1)
    await spool.append([sms()], ROOM)
    [lease] = await spool.lease(NOW, 1)
    with pytest.raises(SpoolFull):
        await spool.append([sms()], ROOM)
    await spool.store(lease, attrs.evolve(lease.message, state=State.SENDING))
    assert (await spool.append([sms()], ROOM)).first == 0


@ensureDeferred
async def test_the_latest_that_are_done_can_be_found_and_older_ones_are_forgotten():
    spool = opened(remembered=2)
    messages = [sms() for _ in range(3)]
    await spool.append(messages, ROOM)
    await finish(spool)
    with pytest.raises(UnknownMessage):
        await spool.find(messages[0].id)
    assert [(await spool.find(each.id)).state for each in messages[1:]] == [State.EXPIRED] * 2
    assert (await spool.standing()).states[State.EXPIRED] == 2


@ensureDeferred
async def test_the_id_of_one_that_is_done_is_not_taken_again():
    spool = opened()
    message = sms()
    await spool.append([message], ROOM)
    await finish(spool)
    with pytest.raises(ValueError, match="stored already"):
        await spool.append([message], ROOM)
