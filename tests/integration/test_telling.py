"""Receivers are told of changes of state and of incoming messages: signed, again after a fault, never in the way."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import pytest_twisted
import treq

from tests.integration.daemon import KEY, SMS, until
from tests.integration.hook import Call, Hook
from tests.integration.provider import UNPROCESSABLE, Behaviour

SECRET = b"s" * 32
OLD_SECRET = b"o" * 32
DERIVED = hashlib.sha256(KEY.encode()).digest()


def written(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


@pytest_twisted.async_yield_fixture
async def hook() -> AsyncIterator[Callable[..., Hook]]:
    """Starts receivers."""
    started: list[Hook] = []

    def start(answer: Callable[[Call], int | None] = lambda call: 204) -> Hook:
        started.append(Hook(answer).start())
        return started[-1]

    yield start
    for each in started:
        await each.stop()


@pytest_twisted.ensureDeferred
async def test_each_change_of_state_is_told_and_signed(daemon: Any, provider: Any, hook: Any) -> None:
    receiver = hook()
    server = daemon(rate="20", callback_private="yes", callback_secrets=f"{written(SECRET)},{written(OLD_SECRET)}")
    await server.start()
    id = await server.accepted(callback_url=receiver.url, reference="mine")
    await until(lambda: "sms.sent" in receiver.told(id), "it is told")
    query = urlencode(
        {
            "id": "theirs",
            "reference": id,
            "recipient": SMS["recipient"],
            "status": "delivered",
            "statusDatetime": "2026-11-24T10:00:00+00:00",
        }
    )
    await treq.get(f"{server.url}/messagebird/status?{query}", persistent=False)
    await until(lambda: "sms.delivered" in receiver.told(id), "it is told")
    assert sorted(receiver.told(id)) == ["sms.delivered", "sms.sending", "sms.sent"]
    last = receiver.calls[-1]
    assert last.body["data"]["state"] == "delivered"
    assert last.body["data"]["reference"] == "mine"
    assert SMS["message"] not in last.raw.decode()
    assert last.is_signed_with(SECRET)
    assert last.is_signed_with(OLD_SECRET)
    assert not last.is_signed_with(DERIVED)


@pytest_twisted.ensureDeferred
async def test_the_address_of_the_api_key_is_used_when_the_message_names_none(daemon: Any, hook: Any) -> None:
    receiver = hook()
    server = daemon(rate="20", callback_private="yes", callback_urls=f"tester={receiver.url}")
    await server.start()
    id = await server.accepted()
    await until(lambda: "sms.sent" in receiver.told(id), "it is told")
    assert all(call.is_signed_with(DERIVED) for call in receiver.calls)


@pytest_twisted.ensureDeferred
async def test_what_a_receiver_did_not_take_is_told_again_also_after_a_kill(daemon: Any, hook: Any) -> None:
    receiver = hook(lambda call: 503)
    server = daemon(rate="20", callback_private="yes")
    await server.start()
    id = await server.accepted(callback_url=receiver.url)
    await until(lambda: "sms.sent" in receiver.told(id), "it is told")
    await server.kill()
    receiver.answer = lambda call: 204
    receiver.calls.clear()
    await server.start()
    await until(lambda: sorted(receiver.told(id)) == ["sms.sending", "sms.sent"], "it is told again", 90)


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_never_answers_holds_up_neither_the_sends_nor_another(
    daemon: Any, provider: Any, hook: Any
) -> None:
    dead, alive = hook(lambda call: None), hook()
    server = daemon(rate="50", callback_private="yes")
    await server.start()
    slow = [await server.accepted(callback_url=dead.url) for _ in range(30)]
    quick = await server.accepted(callback_url=alive.url.replace("127.0.0.1", "localhost"))
    await until(lambda: "sms.sent" in alive.told(quick), "the other is told", 10)
    await until(lambda: len(provider.stored) == len(slow) + 1, "all are sent", 10)


@pytest_twisted.ensureDeferred
async def test_a_private_address_is_refused_unless_it_is_allowed(daemon: Any, hook: Any) -> None:
    receiver = hook()
    server = daemon(rate="20")
    await server.start()
    response = await server.post(SMS | {"callback_url": receiver.url})
    assert response.code == 400
    assert (await response.json())["errors"][0]["pointer"] == "/callback_url"


@pytest_twisted.ensureDeferred
async def test_an_incoming_message_is_kept_listed_and_passed_on_once(daemon: Any, hook: Any) -> None:
    receiver = hook()
    server = daemon(callback_private="yes", inbound_url=receiver.url)
    await server.start()
    fields = {
        "id": "f00",
        "originator": "31611111111",
        "recipient": "31622222222",
        "body": "STOP",
        "createdDatetime": "2026-11-24T10:00:00+00:00",
    }
    for _ in range(2):
        response = await treq.post(f"{server.url}/messagebird/inbound", data=fields, persistent=False)
        assert response.code == 200
    await until(lambda: receiver.calls, "it is passed on")
    [call] = receiver.calls
    told = {
        "id": "f00",
        "originator": "31611111111",
        "recipient": 31622222222,
        "message": "STOP",
        "received_at": "2026-11-24T10:00:00.000Z",
    }
    assert (call.body["type"], call.body["data"]) == ("sms.received", told)
    assert call.is_signed_with(DERIVED)
    listed = await (await server.get("/inbound?limit=5")).json()
    assert (listed["inbound"], listed["cursor"]) == ([told], None)
    assert (await server.get("/inbound?state=sent")).code == 400


@pytest_twisted.ensureDeferred
async def test_a_refused_message_is_told_with_the_reason(daemon: Any, provider: Any, hook: Any) -> None:
    receiver = hook()
    provider.script([UNPROCESSABLE])
    server = daemon(rate="20", callback_private="yes")
    await server.start()
    id = await server.accepted(callback_url=receiver.url)
    await until(lambda: "sms.dead" in receiver.told(id), "it is told")
    assert "no (correct) recipients found" in receiver.calls[-1].body["data"]["error"]


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_is_gone_is_told_no_more(daemon: Any, provider: Any, hook: Any) -> None:
    receiver, witness = hook(lambda call: 410), hook()
    provider.script([Behaviour(pause_s=1.0)])
    server = daemon(rate="20", callback_private="yes")
    await server.start()
    id = await server.accepted(callback_url=receiver.url)
    await until(lambda: receiver.told(id) == ["sms.sending"], "it is told")
    await until(lambda: provider.stored, "it is sent")
    other = await server.accepted(callback_url=witness.url)
    await until(lambda: "sms.sent" in witness.told(other), "the next is told")
    assert receiver.told(id) == ["sms.sending"]


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_never_answers_holds_up_no_other_at_the_same_address(daemon: Any, hook: Any) -> None:
    dead, alive = hook(lambda call: None), hook()
    server = daemon(rate="50", callback_private="yes")
    await server.start()
    for _ in range(20):
        await server.accepted(callback_url=dead.url)
    await until(lambda: len(dead.calls) >= 4, "it has all the connections that it may have")
    quick = await server.accepted(callback_url=alive.url)
    await until(lambda: "sms.sent" in alive.told(quick), "the other is told", 5)


@pytest_twisted.ensureDeferred
async def test_a_message_stays_in_its_clients_trace_from_the_request_to_the_callback(daemon: Any, hook: Any) -> None:
    receiver = hook()
    server = daemon(rate="20", callback_private="yes", callback_urls=f"tester={receiver.url}", log_format="json")
    await server.start()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    async def posted(body: Any, **headers: str) -> str:
        answer = await (await server.post(body, **headers)).json()
        id: str = answer["id"] if "id" in answer else answer["ids"][0]
        return id

    once = "under-a-key"
    ids = [
        await posted(SMS, traceparent=trace),
        await posted([SMS], traceparent=trace),
        await posted(SMS, traceparent=trace, idempotency_key=once),
        # Expect is what the short way leaves to twisted.web.
        await posted(SMS, traceparent=trace, expect="100-continue"),
    ]
    assert await posted(SMS, traceparent=trace.replace("4bf", "abc"), idempotency_key=once) == ids[2]
    others = [
        await posted(SMS),
        await posted(SMS, traceparent=trace.upper()),
        await posted(SMS, traceparent="x" * 9000),
    ]
    for id in ids + others:
        await until(lambda id=id: "sms.sent" in receiver.told(id), "it is told")
        traced = trace if id in ids else None
        assert (await server.shown(id))["traceparent"] == traced
        assert {call.trace for call in receiver.calls if call.body["data"]["id"] == id} == {traced}
    lines = [json.loads(line) for line in server.output.read_text().splitlines() if line.startswith("{")]
    logged = {line["id"]: line.get("trace_id") for line in lines if "id" in line}
    assert logged == dict.fromkeys(ids, "4bf92f3577b34da6a3ce929d0e0e4736") | dict.fromkeys(others)


@pytest_twisted.ensureDeferred
async def test_two_traces_in_one_request_are_as_none(daemon: Any) -> None:
    server = daemon(rate="20")
    await server.start()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"X-API-Key": KEY, "Content-Type": "application/json", "traceparent": [trace, trace]}
    answer = await treq.post(f"{server.url}/sms", headers=headers, json=SMS, persistent=False)
    assert (await server.shown((await answer.json())["id"]))["traceparent"] is None
    lines = headers | {"Content-Type": "application/x-ndjson"}
    answer = await treq.post(f"{server.url}/sms", headers=lines, data=json.dumps(SMS).encode(), persistent=False)
    [id] = json.loads((await answer.text()).splitlines()[0])["ids"]
    assert (await server.shown(id))["traceparent"] is None
