"""What receivers are owed is queued as the state changes, and handed out until it is settled."""

import json

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.callback import Callback
from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.report import DeliveryStatus, Report
from smsd.core.settle import begin, cancel, expire, reported
from smsd.core.trace import Traceparent
from tests.messages import ROOM

URL = "https://example.com/hook"


async def taken(spool, now, limit=99, without=frozenset()):
    return await spool.take_callbacks(now, now + 60, limit, 5, without)


def body(callback):
    return json.loads(callback.body)


def told(callbacks):
    return [body(callback)["type"] for callback in callbacks]


@ensureDeferred
async def test_each_change_of_state_is_owed_and_acceptance_is_not(spool, sms, now):
    message = sms(callback_url=URL)
    await spool.append([message], ROOM)
    assert await taken(spool, now) == []
    [lease] = await spool.lease(now, 1)
    lease = await spool.store(lease, begin(message, now, "test"))
    await spool.store(lease, attrs.evolve(lease.message, state=State.SENT, changed_at=now + 1))
    callbacks = await taken(spool, now + 1)
    assert told(callbacks) == ["sms.sending", "sms.sent"]
    assert {(each.url, each.api_key, each.attempts) for each in callbacks} == {(URL, "demo", 0)}


@ensureDeferred
async def test_what_an_operator_or_a_restart_does_is_owed_as_well(spool, sms, now):
    message = sms(callback_url=URL)
    await spool.append([message], ROOM)
    await spool.amend(message.id, lambda each: cancel(each, now))
    assert told(await taken(spool, now)) == ["sms.canceled"]


@ensureDeferred
async def test_a_callback_is_part_of_its_messages_trace(spool, sms, now):
    trace = Traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    messages = sms(callback_url=URL, trace=trace), sms(callback_url=URL)
    await spool.append(messages, ROOM)
    for message in messages:
        await spool.amend(message.id, lambda each: cancel(each, now))
    found = await taken(spool, now)
    assert {each.message_id: each.trace for each in found} == {each.id: each.trace for each in messages}


@ensureDeferred
async def test_a_final_report_on_what_was_in_doubt_tells_of_both_changes(spool, sms, now):
    doubted = sms(callback_url=URL, state=State.UNCERTAIN, attempts=1, attempted_at=now, error="no answer")
    await spool.append([doubted], ROOM)
    [number] = doubted.recipients
    report = Report(
        reference=doubted.id, recipient=number, status=DeliveryStatus.DELIVERED, at=now + 1, provider_id="p1"
    )
    await spool.amend(doubted.id, lambda each: reported(each, report, now + 2))
    bodies = {each["type"]: each["data"] for each in map(body, await taken(spool, now + 2))}
    assert bodies.keys() == {"sms.sent", "sms.delivered"}
    sent, delivered = bodies["sms.sent"], bodies["sms.delivered"]
    assert (sent["state"], sent["provider_id"], sent["deliveries"], sent["error"]) == ("sent", "p1", [], None)
    assert (delivered["state"], [each["status"] for each in delivered["deliveries"]]) == ("delivered", ["delivered"])


@ensureDeferred
async def test_nobody_is_told_who_did_not_ask(spool, sms, now):
    message = sms()
    await spool.append([message], ROOM)
    await spool.amend(message.id, lambda each: cancel(each, now))
    assert await taken(spool, now) == []


@ensureDeferred
async def test_a_change_that_is_not_made_is_not_told(spool, sms, now):
    message = sms(callback_url=URL)
    await spool.append([message], ROOM)
    [lease] = await spool.lease(now, 1)
    await spool.amend(message.id, lambda each: cancel(each, now))
    with pytest.raises(LeaseLost):
        await spool.store(lease, expire(message, now))
    assert told(await taken(spool, now)) == ["sms.canceled"]


async def owe(spool, sms, now, *urls):
    for url in urls:
        message = sms(callback_url=url)
        await spool.append([message], ROOM)
        await spool.amend(message.id, lambda each: cancel(each, now))


@ensureDeferred
async def test_what_was_taken_comes_again_only_when_its_time_is_over(spool, sms, now):
    await owe(spool, sms, now, URL)
    first = await taken(spool, now)
    assert await taken(spool, now + 59) == []
    assert [each.id for each in await taken(spool, now + 60)] == [each.id for each in first]


@ensureDeferred
async def test_what_failed_waits_for_its_next_try_and_what_is_finished_is_gone(spool, sms, now):
    await owe(spool, sms, now, URL)
    [callback] = await taken(spool, now)
    await spool.settle_callback(callback, attrs.evolve(callback, attempts=1, not_before=now + 5))
    assert await taken(spool, now + 4) == []
    [again] = await taken(spool, now + 5)
    assert (again.attempts, again.body) == (1, callback.body)
    await spool.settle_callback(again, None)
    assert await taken(spool, now + 9999) == []


@ensureDeferred
async def test_one_host_gets_no_more_than_its_share_and_full_ones_are_passed_over(spool, sms, now):
    await owe(spool, sms, now, *["https://a.example/x"] * 7, "https://b.example/x", "https://c.example/x")
    assert await taken(spool, now, 0) == []
    assert {each.url for each in await taken(spool, now, 9, {"a.example:443", "c.example:443"})} == {
        "https://b.example/x"
    }
    assert len(await taken(spool, now)) == 6
    assert len(await taken(spool, now)) == 2


@ensureDeferred
async def test_an_incoming_message_is_kept_once_and_told_once(spool, inbound, now):
    callback = Callback(id="in-1", url=URL, body=b"{}", api_key="demo", created_at=now, not_before=now)
    assert await spool.receive(inbound("a"), callback)
    assert not await spool.receive(inbound("a"), callback)
    assert await spool.receive(inbound("b"), None)
    assert await taken(spool, now) == [callback]
    assert [each.id for each in (await spool.received(9))[0]] == ["b", "a"]


@ensureDeferred
async def test_incoming_messages_are_read_page_by_page(spool, inbound):
    for id in "abcde":
        await spool.receive(inbound(id), None)
    pages, before = [], None
    while True:
        page, before = await spool.received(2, before)
        pages.append("".join(each.id for each in page))
        if before is None:
            break
    assert pages == ["ed", "cb", "a"]


@ensureDeferred
async def test_a_receiver_that_is_gone_is_owed_nothing_more_of_that_message(spool, sms, now):
    message, other = sms(callback_url=URL), sms(callback_url=URL)
    await spool.append([message, other], ROOM)
    for lease in await spool.lease(now, 2):
        await spool.store(lease, begin(lease.message, now, "test"))
    await spool.silence(message.id)
    await spool.amend(message.id, lambda each: attrs.evolve(each, state=State.SENT, changed_at=now + 1))
    assert [each.message_id for each in await taken(spool, now + 1)] == [other.id]
