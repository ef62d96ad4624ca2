"""What is appended is kept: all of it or none."""

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.errors import SpoolFull, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Event, Priority, What
from smsd.core.settle import begin
from tests.messages import ROOM


@ensureDeferred
async def test_a_message_is_kept_as_it_is(spool, sms, now):
    message = sms(
        recipients=(Msisdn("31612345678"), Msisdn("4915112345678")),
        originator=Originator("+31612345678"),
        body="één \0 😀 \"'\\ \r\n",
        coding=DataCoding.UNICODE,
        segments=9,
        accepted_at=1_712_345_678.1234567,
        not_before=now + 0.1,
        priority=Priority.HIGH,
        reference="order 7 🎉",
        valid_until=now + 1 / 3,
        attempts=2,
        attempted_at=now - 2 / 3,
        tried_since=now - 4 / 3,
        sent_at=now - 0.7,
        provider_id="e8077d803532c0b5937c639b60216938",
        error="no balance",
        history=(Event(at=now + 0.3, state=State.QUEUED, what=What.POSTPONED, detail='"x" é'),),
    )
    await spool.append([message], ROOM)
    assert await spool.find(message.id) == message


@ensureDeferred
async def test_a_message_with_nothing_optional_is_kept_as_it_is(spool, sms):
    message = sms()
    await spool.append([message], ROOM)
    assert await spool.find(message.id) == message


@ensureDeferred
async def test_the_answer_is_how_many_were_queued_before(spool, sms):
    assert (await spool.append([sms()], ROOM)).first == 0
    assert (await spool.append([sms(), sms(), sms()], ROOM)).first == 1
    assert (await spool.append([sms()], ROOM)).first == 4


@ensureDeferred
async def test_what_has_left_the_queue_is_not_counted_in_the_answer(spool, sms, now):
    await spool.append([sms(), sms()], ROOM)
    [lease] = await spool.lease(now, 1)
    await spool.store(lease, attrs.evolve(lease.message, state=State.SENDING))
    assert (await spool.append([sms()], ROOM)).first == 1


@ensureDeferred
async def test_nothing_may_be_appended(spool, sms):
    await spool.append([sms()], ROOM)
    assert (await spool.append([], ROOM)).first == 0


@pytest.mark.parametrize("count", [1, 4, 31, 300])
@ensureDeferred
async def test_a_batch_keeps_its_order(spool, sms, now, count):
    messages = [sms() for _ in range(count)]
    await spool.append(messages, ROOM)
    assert [lease.message for lease in await spool.lease(now, count)] == messages


@ensureDeferred
async def test_callers_at_once_are_all_served_in_order(spool, sms, now):
    messages = [sms() for _ in range(300)]
    answers = await gatherResults([Deferred.fromCoroutine(spool.append([each], ROOM)) for each in messages])
    assert [place.first for place in answers] == list(range(300))
    assert [lease.message for lease in await spool.lease(now, 300)] == messages


@ensureDeferred
async def test_an_id_that_is_stored_already_keeps_the_whole_batch_out(spool, sms):
    first, second = sms(), sms()
    await spool.append([first], ROOM)
    with pytest.raises(ValueError, match="cannot hold this"):
        await spool.append([second, attrs.evolve(first, body="another")], ROOM)
    with pytest.raises(UnknownMessage):
        await spool.find(second.id)
    assert await spool.find(first.id) == first
    assert (await spool.standing()).states[State.QUEUED] == 1


@ensureDeferred
async def test_an_id_that_comes_twice_in_a_batch_keeps_it_out(spool, sms):
    message = sms()
    with pytest.raises(ValueError, match="cannot hold this"):
        await spool.append([message, message], ROOM)
    assert (await spool.standing()).states[State.QUEUED] == 0


@ensureDeferred
async def test_a_bad_append_spoils_no_other_at_the_same_time(spool, sms, now):
    stored = sms()
    good = [sms() for _ in range(20)]
    calls = [[stored], *([each] for each in good[:10]), [stored], *([each] for each in good[10:])]
    results = await DeferredList(
        [Deferred.fromCoroutine(spool.append(call, ROOM)) for call in calls], consumeErrors=True
    )
    assert [is_done for is_done, _ in results] == [True] * 11 + [False] + [True] * 10
    assert [lease.message for lease in await spool.lease(now, 99)] == [stored, *good]
    assert (await spool.standing()).states[State.QUEUED] == 21


@ensureDeferred
async def test_a_message_is_kept_though_its_client_has_left(spool, sms):
    message = sms()
    call = Deferred.fromCoroutine(spool.append([message], ROOM))
    left = call.addErrback(lambda failure: failure.trap(CancelledError))
    call.cancel()
    await left
    await spool.append([sms()], ROOM)
    assert await spool.find(message.id) == message
    assert (await spool.standing()).states[State.QUEUED] == 2


@ensureDeferred
async def test_what_is_ahead_is_in_line_now_and_of_its_priority_or_better(spool, sms, now):
    await spool.append([sms(priority=Priority.LOW), sms(not_before=now + 60), sms(), sms(priority=Priority.HIGH)], ROOM)
    ahead = [
        (await spool.append([sms(priority=priority)], ROOM)).first for priority in (Priority.HIGH, Priority.NORMAL)
    ]
    assert ahead == [1, 3]
    assert (await spool.append([sms(priority=Priority.LOW)], ROOM)).first == 5


@ensureDeferred
async def test_what_has_become_due_is_ahead_and_what_was_taken_is_not(spool, sms, now):
    later, first = sms(not_before=now + 60), sms()
    await spool.append([later, first], ROOM)
    (lease,) = await spool.lease(now, 5)
    await spool.store(lease, begin(first, now, "test"))
    assert (await spool.append([sms(accepted_at=now, priority=Priority.LOW)], ROOM)).first == 0
    await spool.lease(now + 60, 1)
    new = sms(accepted_at=now + 60, changed_at=now + 60, not_before=now + 60, priority=Priority.LOW)
    assert (await spool.append([new], ROOM)).first == 2


@ensureDeferred
async def test_the_limit_holds_however_many_come_at_once_and_is_all_or_nothing(spool, sms):
    appends = [Deferred.fromCoroutine(spool.append([sms(), sms()], 9)) for _ in range(50)]
    results = await DeferredList(appends, consumeErrors=True)
    assert sum(is_done for is_done, _ in results) == 4
    assert (await spool.standing()).states[State.QUEUED] == 8
    assert {type(failure.value) for is_done, failure in results if not is_done} == {SpoolFull}


@ensureDeferred
async def test_of_several_parcels_each_is_kept_or_refused_alone(spool, sms):
    first, second, third = sms(), sms(recipients=(Msisdn("31612345678"), Msisdn("31612345679"))), sms()
    kept, full, taken, last = await spool.append_each([[first], [second], [first], [third]], 2)
    assert (kept.first, last.first) == (0, 1)
    assert isinstance(full, SpoolFull)
    assert (full.waiting, full.asked) == (1, 2)
    assert isinstance(taken, ValueError)
    assert await spool.find(first.id) == first
    assert await spool.find(third.id) == third
    with pytest.raises(UnknownMessage):
        await spool.find(second.id)
    assert (await spool.standing()).recipients == 2


@ensureDeferred
async def test_what_refuses_says_when_enough_that_waits_may_go(spool, sms, now):
    later = [sms(not_before=now + 60 * number) for number in (3, 1, 2)]
    await spool.append([sms(), *later], ROOM)

    async def refused(asked):
        with pytest.raises(SpoolFull) as full:
            await spool.append([sms() for _ in range(asked)], 4)
        return full.value.in_line, full.value.later, full.value.due_at

    assert await refused(1) == (1, 0, None)
    assert await refused(2) == (1, 1, now + 60)
    assert await refused(4) == (1, 3, now + 180)
    assert await refused(5) == (1, 4, None)
    assert await spool.hold(now + 1, 9) == 1
    assert await refused(1) == (0, 1, now + 60)
