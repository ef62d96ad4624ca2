"""What is due is handed out once: best priority first, then oldest."""

from random import Random

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.lifecycle import State
from smsd.core.message import Priority
from tests.messages import ROOM


def ids(leases):
    return [lease.message.id for lease in leases]


@ensureDeferred
async def test_the_best_priority_comes_first_then_the_oldest(spool, sms, now):
    low, old, high, new = [sms(priority=Priority[name]) for name in ("LOW", "NORMAL", "HIGH", "NORMAL")]
    await spool.append([low, old], ROOM)
    await spool.append([high, new], ROOM)
    assert [lease.message for lease in await spool.lease(now, 9)] == [high, old, new, low]


@ensureDeferred
async def test_no_more_than_the_limit_is_leased(spool, sms, now):
    messages = [sms() for _ in range(3)]
    await spool.append(messages, ROOM)
    assert ids(await spool.lease(now, 2)) == [each.id for each in messages[:2]]
    assert ids(await spool.lease(now, 2)) == [messages[2].id]
    assert await spool.lease(now, 2) == []


@ensureDeferred
async def test_takers_at_once_never_get_the_same(spool, sms, now):
    messages = [sms() for _ in range(90)]
    await spool.append(messages, ROOM)
    takers = await gatherResults([Deferred.fromCoroutine(spool.lease(now, 10)) for _ in range(10)])
    assert [id for leases in takers for id in ids(leases)] == [each.id for each in messages]


@ensureDeferred
async def test_a_lease_sees_what_was_appended_just_before(spool, sms, now):
    message = sms()
    _, leases = await gatherResults(
        [Deferred.fromCoroutine(spool.append([message], ROOM)), Deferred.fromCoroutine(spool.lease(now, 1))]
    )
    assert ids(leases) == [message.id]


@ensureDeferred
async def test_nothing_is_leased_before_its_time(spool, sms, now):
    message = sms(not_before=now + 10)
    await spool.append([message], ROOM)
    assert await spool.lease(now + 9.999, 1) == []
    assert ids(await spool.lease(now + 10, 1)) == [message.id]


@ensureDeferred
async def test_what_was_due_stays_due_when_the_clock_is_set_back(spool, sms, now):
    await spool.append([sms()], ROOM)
    assert len(await spool.lease(now - 3600, 1)) == 1


@ensureDeferred
async def test_what_has_become_due_takes_its_place_by_priority_and_age(spool, sms, now):
    scheduled = [sms(not_before=now + 10, priority=each) for each in Priority]
    waiting = [sms(priority=each) for each in Priority]
    await spool.append(scheduled + waiting, ROOM)
    line = [each.id for pair in zip(scheduled, waiting, strict=True) for each in pair]
    assert ids(await spool.lease(now + 10, 9)) == line


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
@ensureDeferred
async def test_the_line_is_in_order_at_any_time(spool, sms, now, seed):
    random = Random(seed)
    messages = [sms(priority=random.choice(list(Priority)), not_before=now + random.randrange(5)) for _ in range(60)]
    await spool.append(messages, ROOM)
    for tick in range(6):
        due = sorted((each for each in messages if each.not_before <= now + tick), key=lambda each: each.priority)
        leases = await spool.lease(now + tick, random.randrange(1, 20))
        assert [lease.message for lease in leases] == due[: len(leases)]
        for lease in leases:
            if random.random() < 0.5:
                await spool.release(lease)
            else:
                messages.remove(lease.message)


@ensureDeferred
async def test_what_is_given_back_has_its_old_place(spool, sms, now):
    messages = [sms() for _ in range(3)]
    await spool.append(messages, ROOM)
    first, second = await spool.lease(now, 2)
    await spool.release(second)
    await spool.release(first)
    assert [lease.message for lease in await spool.lease(now, 9)] == messages


@ensureDeferred
async def test_a_lease_that_is_over_gives_back_nothing(spool, sms, now):
    await spool.append([sms()], ROOM)
    [old] = await spool.lease(now, 1)
    await spool.release(old)
    [held] = await spool.lease(now, 1)
    await spool.release(old)
    assert await spool.lease(now, 1) == []
    await spool.store(held, attrs.evolve(held.message, state=State.CANCELED))


@ensureDeferred
async def test_what_is_uncertain_is_leased_apart_and_when_due(spool, sms, now):
    await spool.append([sms(priority=Priority.HIGH), sms()], ROOM)
    [lease, _] = await spool.lease(now, 2)
    sending = await spool.store(lease, attrs.evolve(lease.message, state=State.SENDING))
    uncertain = attrs.evolve(sending.message, state=State.UNCERTAIN, not_before=now + 5)
    await spool.store(sending, uncertain)
    assert await spool.lease(now + 4, 9, State.UNCERTAIN) == []
    assert await spool.lease(now + 5, 9) == []
    assert [each.message for each in await spool.lease(now + 5, 9, State.UNCERTAIN)] == [uncertain]
    assert await spool.lease(now + 5, 9, State.UNCERTAIN) == []


@ensureDeferred
async def test_a_postponed_message_comes_again_when_due_in_its_old_place(spool, sms, now):
    first, second = sms(), sms()
    await spool.append([first, second], ROOM)
    [lease] = await spool.lease(now, 1)
    sending = await spool.store(lease, attrs.evolve(first, state=State.SENDING))
    await spool.store(sending, attrs.evolve(sending.message, state=State.QUEUED, not_before=now + 5))
    [other] = await spool.lease(now, 9)
    assert other.message == second
    await spool.release(other)
    assert ids(await spool.lease(now + 5, 9)) == [first.id, second.id]


@ensureDeferred
async def test_a_taker_who_has_left_holds_nothing(spool, sms, now):
    await spool.append([sms()], ROOM)
    call = Deferred.fromCoroutine(spool.lease(now, 1))
    left = call.addErrback(lambda failure: None)
    call.cancel()
    taken = await left
    for lease in taken or ():  # an engine that need not wait has answered before the cancel
        await spool.release(lease)
    assert len(await spool.lease(now, 1)) == 1
