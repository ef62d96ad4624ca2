"""The sandbox behaves like Bird over a real connection."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.server import Site

from smsd.gateway.bird_sdk import Bird
from smsd.sandbox.bird_memory import REMEMBERED_S
from smsd.sandbox.messagebird import MessageBirdSandbox
from smsd.sandbox.script import DRAMA
from smsd.sandbox.store import StoredMessage

KEY = "test_key"
ANN, BOB, NOBODY = "+31612345001", "+31612345002", f"+{DRAMA + 422}"
HEADERS = {"User-Agent": "smsd tests", "Authorization": f"Bearer {KEY}", "Idempotency-Key": "key-1"}


def sms(to: str = ANN, **changed: Any) -> dict[str, Any]:
    given = {"to": to, "from": "MB", "text": "Hi", "category": "transactional", "metadata": {"reference": "01TEST"}}
    return {name: value for name, value in {**given, **changed}.items() if value is not ...}


@attrs.define(kw_only=True)
class World:
    """A sandbox on a real port, with a clock that only the test moves."""

    url: str
    clock: Clock
    http: HTTPClient
    delivered: list[StoredMessage]

    async def post(self, path: str, body: Any, **headers: str | None) -> tuple[int, Any]:
        """Ask for something to be sent; gives the status and the JSON."""
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (HEADERS | renamed).items() if value is not None}
        response = await self.http.post(f"{self.url}/v1/sms/{path}", json=body, headers=sent)
        return response.code, json.loads(await response.content())

    async def get(self, path: str) -> tuple[int, Any]:
        response = await self.http.get(f"{self.url}/v1/sms/{path}", headers=HEADERS)
        return response.code, json.loads(await response.content())


@pytest_twisted.async_yield_fixture
async def world() -> AsyncIterator[World]:
    from twisted.internet import reactor

    clock, delivered = Clock(), []
    clock.advance(time.time())
    sandbox = MessageBirdSandbox(clock=clock, now=clock.seconds, deliver=delivered.append, access_key=KEY)
    port = reactor.listenTCP(0, Site(sandbox.resource()), interface="127.0.0.1")
    http = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)))
    yield World(url=f"http://127.0.0.1:{port.getHost().port}", clock=clock, http=http, delivered=delivered)
    await port.stopListening()


def use_the_sdk(url: str) -> tuple[Any, Any, Any, list[Any]]:
    with Bird(api_key=KEY, base_url=url, max_retries=0) as client:
        given = {"from_": "MB", "text": "Grüße 🔥", "category": "transactional"}
        sent = client.sms.send(to=ANN, metadata={"reference": "01TEST"}, **given)
        batch = client.sms.send_batch(messages=[{"to": ANN, **given}, {"to": BOB, **given}])
        return sent, batch, client.sms.get(sent.id), list(client.sms.list(to=ANN, limit=1))


@pytest_twisted.ensureDeferred
async def test_the_official_client_is_content_with_it(world: World) -> None:
    sent, batch, shown, listed = await deferToThread(use_the_sdk, world.url)
    assert (sent.to, sent.from_, sent.status, sent.segments.encoding) == (ANN, "MB", "accepted", "UCS2")
    assert (batch.summary.accepted_count, [each.to for each in batch.data]) == (2, [ANN, BOB])
    assert (shown.id, shown.metadata) == (sent.id, {"reference": "01TEST"})
    assert [each.id for each in listed] == [batch.data[0].id, sent.id]
    assert len(world.delivered) == 3


@pytest.mark.parametrize(
    ("header", "value", "status", "type_"),
    [
        ("User_Agent", None, 403, "permission_error"),
        ("Idempotency_Key", None, 400, "bad_request_error"),
        ("Idempotency_Key", "x" * 256, 400, "bad_request_error"),
        ("Authorization", "Bearer other", 401, "auth_error"),
        ("Authorization", f"AccessKey {KEY}", 401, "auth_error"),
        ("Authorization", None, 401, "auth_error"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_request_without_what_it_needs_is_refused(
    world: World, header: str, value: str | None, status: int, type_: str
) -> None:
    code, answer = await world.post("messages", sms(), **{header: value})
    assert (code, answer["error"]["type"]) == (status, type_)
    assert world.delivered == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "31612345001"),
        ("to", ...),
        ("from", "+"),
        ("from", ...),
        ("text", ""),
        ("text", "x" * 1378),
        ("category", ...),
        ("category", "love"),
        ("metadata", {"reference": "x" * 2048}),
        ("metadata", []),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_field_that_is_wrong_is_named(world: World, field: str, value: Any) -> None:
    code, answer = await world.post("messages", sms(**{field: value}))
    assert (code, [each["param"] for each in answer["error"]["details"]]) == (422, [field])


@pytest_twisted.ensureDeferred
async def test_a_batch_is_taken_as_a_whole_or_not_at_all(world: World) -> None:
    code, answer = await world.post("batches", {"messages": [sms(), sms(to="MB"), sms(text="")]})
    assert (code, [each["param"] for each in answer["error"]["details"]]) == (
        422,
        ["messages[1].to", "messages[2].text"],
    )
    code, answer = await world.post("batches", {"messages": [sms(), sms(NOBODY)]}, Idempotency_Key="key-2")
    assert (code, [each["param"] for each in answer["error"]["details"]]) == (422, ["messages[1].to"])
    assert world.delivered == []


@pytest.mark.parametrize("count", [0, 101])
@pytest_twisted.ensureDeferred
async def test_a_batch_has_one_to_a_hundred_messages(world: World, count: int) -> None:
    code, _ = await world.post("batches", {"messages": [sms()] * count})
    assert code == 422


@pytest_twisted.ensureDeferred
async def test_the_same_key_and_body_get_the_same_answer_for_a_day(world: World) -> None:
    first = await world.post("messages", sms())
    world.clock.advance(REMEMBERED_S - 1)
    assert await world.post("messages", sms()) == first
    assert len(world.delivered) == 1
    world.clock.advance(1)
    assert await world.post("messages", sms()) != first
    assert len(world.delivered) == 2


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_remembered_and_a_fault_is_not(world: World) -> None:
    refused = await world.post("messages", sms(text=""))
    assert await world.post("messages", sms(text="")) == refused
    faulty = {"body": sms(f"+{DRAMA + 500}"), "Idempotency_Key": "key-2"}
    assert [(await world.post("messages", **faulty))[0] for _ in range(2)] == [500, 202]


@pytest_twisted.ensureDeferred
async def test_a_key_belongs_to_one_request(world: World) -> None:
    await world.post("messages", sms())
    code, answer = await world.post("messages", sms(text="Ho"))
    assert (code, answer["error"]["code"]) == (409, "E01005")
    assert len(world.delivered) == 1


@pytest_twisted.ensureDeferred
async def test_a_list_can_be_narrowed_down(world: World) -> None:
    for number, to in enumerate([ANN, BOB, ANN]):
        await world.post("messages", sms(to), Idempotency_Key=f"key-{number}")
        world.clock.advance(60.0)
    _, page = await world.get("messages?to=%2B31612345001")
    assert [each["to"] for each in page["data"]] == [ANN, ANN]
    _, page = await world.get(f"messages?created_after={page['data'][0]['created_at'].replace('+', '%2B')}")
    assert len(page["data"]) == 1
    assert (await world.get("messages?direction=inbound"))[1]["data"] == []
    assert (await world.get("messages?limit=some"))[0] == 422
    assert (await world.get("messages/sms_none"))[0] == 404


@pytest_twisted.ensureDeferred
async def test_neither_api_lists_what_came_over_the_other(world: World) -> None:
    await world.post("messages", sms())
    classic = {"Authorization": f"AccessKey {KEY}"}
    body = {"originator": "MB", "recipients": [31612345001], "body": "Hi"}
    await world.http.post(f"{world.url}/messages", json=body, headers=classic)
    response = await world.http.get(f"{world.url}/messages", headers=classic)
    assert json.loads(await response.content())["totalCount"] == 1
    assert len((await world.get("messages"))[1]["data"]) == 1
    assert len(world.delivered) == 2
