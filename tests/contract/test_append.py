"""What is appended is kept: all of it or none."""

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.errors import UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Event, Priority


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
        sent_at=now - 0.7,
        provider_id="e8077d803532c0b5937c639b60216938",
        error="no balance",
        history=(Event(at=now + 0.3, state=State.QUEUED, what="accepted", detail='"x" é'),),
    )
    await spool.append([message])
    assert await spool.find(message.id) == message


@ensureDeferred
async def test_a_message_with_nothing_optional_is_kept_as_it_is(spool, sms):
    message = sms()
    await spool.append([message])
    assert await spool.find(message.id) == message


@ensureDeferred
async def test_the_answer_is_how_many_were_queued_before(spool, sms):
    assert await spool.append([sms()]) == 0
    assert await spool.append([sms(), sms(), sms()]) == 1
    assert await spool.append([sms()]) == 4


@ensureDeferred
async def test_what_has_left_the_queue_is_not_counted_in_the_answer(spool, sms, now):
    await spool.append([sms(), sms()])
    [lease] = await spool.lease(now, 1)
    await spool.settle(lease, attrs.evolve(lease.message, state=State.SENDING))
    assert await spool.append([sms()]) == 1


@ensureDeferred
async def test_nothing_may_be_appended(spool, sms):
    await spool.append([sms()])
    assert await spool.append([]) == 1


@pytest.mark.parametrize("count", [1, 4, 31, 300])
@ensureDeferred
async def test_a_batch_keeps_its_order(spool, sms, now, count):
    messages = [sms() for _ in range(count)]
    await spool.append(messages)
    assert [lease.message for lease in await spool.lease(now, count)] == messages


@ensureDeferred
async def test_callers_at_once_are_all_served_in_order(spool, sms, now):
    messages = [sms() for _ in range(300)]
    answers = await gatherResults([Deferred.fromCoroutine(spool.append([each])) for each in messages])
    assert answers == list(range(300))
    assert [lease.message for lease in await spool.lease(now, 300)] == messages


@ensureDeferred
async def test_an_id_that_is_stored_already_keeps_the_whole_batch_out(spool, sms):
    first, second = sms(), sms()
    await spool.append([first])
    with pytest.raises(ValueError, match="cannot hold this"):
        await spool.append([second, attrs.evolve(first, body="another")])
    with pytest.raises(UnknownMessage):
        await spool.find(second.id)
    assert await spool.find(first.id) == first
    assert (await spool.depth())[State.QUEUED] == 1


@ensureDeferred
async def test_an_id_that_comes_twice_in_a_batch_keeps_it_out(spool, sms):
    message = sms()
    with pytest.raises(ValueError, match="cannot hold this"):
        await spool.append([message, message])
    assert (await spool.depth())[State.QUEUED] == 0


@ensureDeferred
async def test_a_bad_append_spoils_no_other_at_the_same_time(spool, sms, now):
    stored = sms()
    good = [sms() for _ in range(20)]
    calls = [[stored], *([each] for each in good[:10]), [stored], *([each] for each in good[10:])]
    results = await DeferredList([Deferred.fromCoroutine(spool.append(call)) for call in calls], consumeErrors=True)
    assert [is_done for is_done, _ in results] == [True] * 11 + [False] + [True] * 10
    assert [lease.message for lease in await spool.lease(now, 99)] == [stored, *good]
    assert (await spool.depth())[State.QUEUED] == 21


@ensureDeferred
async def test_a_message_is_kept_though_its_client_has_left(spool, sms):
    message = sms()
    call = Deferred.fromCoroutine(spool.append([message]))
    left = call.addErrback(lambda failure: failure.trap(CancelledError))
    call.cancel()
    await left
    await spool.append([sms()])
    assert await spool.find(message.id) == message
    assert (await spool.depth())[State.QUEUED] == 2
