"""The sandbox behaves like MessageBird over a real connection, and misbehaves when told to."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import messagebird
import pytest
import pytest_twisted
import requests
from messagebird.http_client import HttpClient
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.server import Site

from smsd.core.alphabet import DataCoding
from smsd.sandbox.messagebird import MessageBirdSandbox
from smsd.sandbox.script import BEHAVIOURS, DRAMA
from smsd.sandbox.store import MessageStore, StoredMessage

KEY = "test_key"
START = 1_700_000_000.25  # 2023-11-14T22:13:20.25Z
PERSON = 31633450007
BODY = {"originator": "MB", "recipients": [PERSON], "body": "This is a test message."}


@attrs.define(kw_only=True)
class World:
    """A sandbox on a real port, with a clock that only the test moves."""

    url: str
    clock: Clock
    http: HTTPClient
    delivered: list[StoredMessage]
    on_delivery: list[Callable[[], None]] = attrs.field(factory=list)

    async def sdk(self, method: str, *args: Any, key: str = KEY) -> Any:
        """Call the real SDK in a thread."""
        client = messagebird.Client(key, HttpClient(self.url, key, "smsd tests"))
        return await deferToThread(getattr(client, method), *args)

    async def send(self, recipient: int = PERSON, reference: str = "ref-1", **params: Any) -> Any:
        """Send one message with the real SDK."""
        given = {"reference": reference, **params}
        return await self.sdk("message_create", "MB", [str(recipient)], "This is a test message.", given)

    async def ask(self, method: str, path: str, key: str | None = KEY, **given: Any) -> tuple[int, Any]:
        """Make a plain request; gives the status and the JSON."""
        headers = {} if key is None else {"Authorization": f"AccessKey {key}"}
        response = await self.http.request(method, self.url + path, headers=headers, **given)
        content = await response.content()
        return response.code, json.loads(content) if content else None

    async def refuses(self, **changes: Any) -> tuple[int, list[tuple[int, str]]]:
        """Post a message with changes; gives the status and each error's code and parameter."""
        body = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
        status, answer = await self.ask("POST", "/messages", json=body)
        assert self.delivered == []
        return status, [(error["code"], error["parameter"]) for error in answer["errors"]]


@attrs.define
class Builder:
    reactor: Any
    ports: list[Any] = attrs.field(factory=list)

    async def __call__(self, **options: Any) -> World:
        clock = Clock()
        clock.advance(START)
        delivered: list[StoredMessage] = []
        watchers: list[Callable[[], None]] = []

        def deliver(message: StoredMessage) -> None:
            delivered.append(message)
            for watcher in watchers:
                watcher()

        sandbox = MessageBirdSandbox(clock=clock, now=clock.seconds, deliver=deliver, access_key=KEY, **options)
        endpoint = serverFromString(self.reactor, "tcp:0:interface=127.0.0.1")
        port = await endpoint.listen(Site(sandbox.resource()))
        self.ports.append(port)
        agent = Agent(self.reactor, pool=HTTPConnectionPool(self.reactor, persistent=False))
        url = f"http://127.0.0.1:{port.getHost().port}"
        return World(url=url, clock=clock, http=HTTPClient(agent), delivered=delivered, on_delivery=watchers)


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest_twisted.async_yield_fixture
async def build(reactor: Any) -> AsyncIterator[Builder]:
    builder = Builder(reactor)
    yield builder
    for port in builder.ports:
        await port.stopListening()


@pytest_twisted.async_fixture
async def world(build: Builder) -> World:
    return await build()


# Sending


@pytest_twisted.ensureDeferred
async def test_the_sdk_gets_the_whole_message_back(world: World) -> None:
    sent = await world.send(validity=3600)
    assert (len(sent.id), sent.href) == (32, f"{world.url}/messages/{sent.id}")
    assert (sent.direction, sent.type, sent.originator, sent.body) == ("mt", "sms", "MB", BODY["body"])
    assert (sent.reference, sent.validity, sent.datacoding, sent.mclass) == ("ref-1", 3600, "plain", 1)
    assert sent.createdDatetime.isoformat() == "2023-11-14T22:13:20+00:00"
    assert (sent.scheduledDatetime, sent.typeDetails) == (None, {})
    assert sent.recipients["totalCount"] == sent.recipients["totalSentCount"] == 1
    assert sent.recipients["totalDeliveredCount"] == sent.recipients["totalDeliveryFailedCount"] == 0
    (recipient,) = sent.recipients["items"]
    assert (recipient.recipient, recipient.status) == (PERSON, "sent")


@pytest_twisted.ensureDeferred
async def test_a_message_is_created_with_201_and_a_null_reference(world: World) -> None:
    status, answer = await world.ask("POST", "/messages", json=BODY)
    assert (status, answer["reference"]) == (201, None)


@pytest_twisted.ensureDeferred
async def test_a_message_is_delivered_as_a_line_for_people(world: World) -> None:
    await world.send()
    assert [str(m) for m in world.delivered] == ["SMS to 31633450007 from MB: This is a test message. (1 part, plain)"]


@pytest_twisted.ensureDeferred
async def test_a_line_for_people_cannot_drive_the_terminal(world: World) -> None:
    await world.ask("POST", "/messages", json={**BODY, "body": "a\n\x1b[2Jb", "datacoding": "auto"})
    assert str(world.delivered[0]).endswith(r": a\n\x1b[2Jb (1 part, unicode)")


@pytest_twisted.ensureDeferred
async def test_a_form_is_taken_as_curl_sends_it(world: World) -> None:
    form = {"originator": "MB", "recipients": f"{PERSON},+31600000001", "body": "Hello"}
    status, answer = await world.ask("POST", "/messages", data=form)
    assert (status, answer["recipients"]["totalCount"]) == (201, 2)
    assert world.delivered[0].recipients == (PERSON, 31600000001)


@pytest.mark.parametrize(
    ("body", "datacoding", "arrives", "coded", "parts"),
    [
        ("Ж€", "plain", "?€", "plain", 1),
        ("Ж€", None, "?€", "plain", 1),
        ("Ж€", "auto", "Ж€", "unicode", 1),
        ("Hello", "auto", "Hello", "plain", 1),
        ("Hello", "unicode", "Hello", "unicode", 1),
        ("a" * 161, "plain", "a" * 161, "plain", 2),
        ("a" * 1377, "plain", "a" * 1377, "plain", 9),
        ("Ж" * 603, "unicode", "Ж" * 603, "unicode", 9),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_text_arrives_as_its_data_coding_carries_it(
    world: World, body: str, datacoding: str | None, arrives: str, coded: str, parts: int
) -> None:
    message = {**BODY, "body": body, **({"datacoding": datacoding} if datacoding else {})}
    status, answer = await world.ask("POST", "/messages", json=message)
    assert (status, answer["body"], answer["datacoding"]) == (201, arrives, coded)
    assert (world.delivered[0].body, world.delivered[0].parts) == (arrives, parts)


@pytest_twisted.ensureDeferred
async def test_a_scheduled_message_is_delivered_in_its_time(world: World) -> None:
    sent = await world.send(scheduledDatetime="2023-11-14T23:13:50+01:00")
    assert (sent.recipients["items"][0].status, sent.recipients["totalSentCount"]) == ("scheduled", 0)
    assert world.delivered == []
    world.clock.advance(30)
    assert [m.id for m in world.delivered] == [sent.id]
    assert (await world.sdk("message", sent.id)).recipients["items"][0].status == "sent"


# Refusing


@pytest.mark.parametrize("key", ["wrong", ""])
@pytest_twisted.ensureDeferred
async def test_the_sdk_is_told_of_a_wrong_key(world: World, key: str) -> None:
    with pytest.raises(messagebird.ErrorException) as caught:
        await world.sdk("balance", key=key)
    (error,) = caught.value.errors
    assert (error.code, error.parameter) == (2, "access_key")
    assert error.description == "Request not allowed (incorrect access_key)"


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": KEY}])
@pytest_twisted.ensureDeferred
async def test_a_key_must_come_as_an_access_key(world: World, headers: dict[str, str]) -> None:
    response = await world.http.post(f"{world.url}/messages", json=BODY, headers=headers)
    assert (response.code, (await response.json())["errors"][0]["code"]) == (401, 2)
    assert world.delivered == []


@pytest_twisted.ensureDeferred
async def test_a_key_may_come_in_the_query(world: World) -> None:
    assert (await world.ask("GET", f"/balance?access_key={KEY}", key=None))[0] == 200


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"recipients": ..., "originator": ..., "body": ...}, [(9, "recipient"), (9, "originator")]),
        ({"recipients": []}, [(9, "recipient")]),
        ({"recipients": ["45100", "abc"]}, [(9, "recipient")]),
        ({"recipients": [31600000000 + n for n in range(51)]}, [(10, "recipients")]),
        ({"originator": "TwelveLetter"}, [(10, "originator")]),
        ({"originator": "Ünicode"}, [(10, "originator")]),
        ({"originator": "   "}, [(10, "originator")]),
        ({"body": ...}, [(9, "body")]),
        ({"body": ""}, [(9, "body")]),
        ({"body": 7}, [(10, "body")]),
        ({"body": "a" * 1378}, [(10, "body")]),
        ({"body": "Ж" * 604, "datacoding": "unicode"}, [(10, "body")]),
        ({"datacoding": "gsm"}, [(10, "datacoding")]),
        ({"type": "binary"}, [(10, "type")]),
        ({"mclass": 4}, [(10, "mclass")]),
        ({"validity": True}, [(10, "validity")]),
        ({"scheduledDatetime": "2023-11-14T22:13:20"}, [(10, "scheduledDatetime")]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_message_is_refused_with_the_parameter_to_blame(
    world: World, changes: dict[str, Any], problems: list[tuple[int, str]]
) -> None:
    assert await world.refuses(**changes) == (422, problems)


@pytest_twisted.ensureDeferred
async def test_fifty_recipients_are_taken_and_wrong_ones_are_dropped(world: World) -> None:
    numbers = [31600000000 + n for n in range(50)]
    assert (await world.ask("POST", "/messages", json={**BODY, "recipients": [*numbers, "x"]}))[0] == 201
    assert world.delivered[0].recipients == tuple(numbers)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_json_object_is_a_bad_request(world: World, content: bytes) -> None:
    status, answer = await world.ask("POST", "/messages", data=content)
    assert (status, answer["errors"][0]["code"]) == (400, 21)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, 98),
        ("PUT", "/messages", 405, 21),
        ("POST", "/balance", 405, 21),
        ("PUT", "/messages/", 405, 21),
        ("PUT", "/messages/0123456789abcdef0123456789abcdef", 405, 21),
        ("GET", "/messages/0123456789abcdef0123456789abcdef", 404, 20),
        ("DELETE", "/messages/0123456789abcdef0123456789abcdef", 404, 20),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_address_that_leads_nowhere_says_so(
    world: World, method: str, path: str, status: int, code: int
) -> None:
    got, answer = await world.ask(method, path)
    assert (got, answer["errors"][0]["code"]) == (status, code)


# Looking up


@pytest_twisted.ensureDeferred
async def test_the_sdk_shows_lists_and_deletes(world: World) -> None:
    sent = await world.send()
    assert (await world.sdk("message", sent.id)).reference == "ref-1"
    listed = await world.sdk("message_list", 20, 0, "sent")
    assert (listed.count, listed.totalCount, [m.id for m in listed.items]) == (1, 1, [sent.id])
    await world.sdk("message_delete", sent.id)
    with pytest.raises(messagebird.ErrorException, match="message not found"):
        await world.sdk("message", sent.id)
    empty = await world.sdk("message_list")
    assert (empty.totalCount, empty.items, empty.links.first, empty.links.last) == (0, [], None, None)


@pytest_twisted.ensureDeferred
async def test_the_sdk_reads_the_balance(world: World) -> None:
    balance = await world.sdk("balance")
    assert (balance.payment, balance.type, balance.amount) == ("prepaid", "credits", 42.5)


@pytest_twisted.ensureDeferred
async def test_pages_are_newest_first_and_linked_to_one_another(world: World) -> None:
    for n in range(5):
        await world.send(reference=f"ref-{n}")
        await world.send(recipient=31600000001)
    path, seen = f"/messages?recipient={PERSON}&limit=2", []
    while path:
        _, page = await world.ask("GET", path)
        seen.append([m["reference"] for m in page["items"]])
        assert (page["totalCount"], page["limit"], page["count"]) == (5, 2, len(page["items"]))
        path = (page["links"]["next"] or "").removeprefix(world.url)
    assert seen == [["ref-4", "ref-3"], ["ref-2", "ref-1"], ["ref-0"]]
    assert page["links"] == {
        "first": f"{world.url}/messages/?offset=0&recipient={PERSON}&limit=2",
        "previous": f"{world.url}/messages/?offset=2&recipient={PERSON}&limit=2",
        "next": None,
        "last": f"{world.url}/messages/?offset=4&recipient={PERSON}&limit=2",
    }
    assert (await world.ask("GET", "/messages?offset=99"))[1]["items"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["c", "b", "a"]),
        ("from=2023-11-14T22:13:21Z", ["c", "b"]),
        ("until=2023-11-14T23:13:21%2B01:00", ["b", "a"]),
        ("from=2023-11-14T22:13:21Z&until=2023-11-14T22:13:21Z", ["b"]),
        ("recipient=%2B31633450007", ["c", "b", "a"]),
        ("recipient=31600000009", []),
        ("originator=MB", ["c", "b", "a"]),
        ("originator=Other", []),
        ("status=sent", ["c", "b", "a"]),
        ("status=delivered", []),
        ("searchterm=test", ["c", "b", "a"]),
        ("searchterm=absent", []),
        ("direction=mo", []),
        ("type=flash", []),
        ("limit=1&offset=1", ["b"]),
        ("reference=a", ["c", "b", "a"]),  # MessageBird has no such filter
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_list_is_filtered(world: World, query: str, found: list[str]) -> None:
    for reference in "abc":
        await world.send(reference=reference)
        world.clock.advance(1)
    _, page = await world.ask("GET", f"/messages?{query}")
    assert [m["reference"] for m in page["items"]] == found


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("status=lost", "status"),
        ("recipient=me", "recipient"),
        ("from=2023-11-14T22:13:20", "from"),  # no offset from UTC
        ("until=2023-11-14T22:13:20+00:00", "until"),  # an unquoted + is a space
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_filter_is_refused(world: World, query: str, parameter: str) -> None:
    status, answer = await world.ask("GET", f"/messages?{query}")
    assert (status, answer["errors"][0]["parameter"]) == (422, parameter)


# Rates


@pytest_twisted.ensureDeferred
async def test_posts_and_gets_beyond_their_rates_are_turned_away(build: Builder) -> None:
    world = await build(posts_per_s=2, gets_per_s=1)
    assert [(await world.ask("POST", "/messages", json=BODY))[0] for _ in range(3)] == [201, 201, 429]
    assert [(await world.ask("GET", "/balance"))[0] for _ in range(2)] == [200, 429]
    world.clock.advance(0.875)
    assert (await world.ask("POST", "/messages", json=BODY))[0] == 429
    world.clock.advance(0.125)
    assert (await world.ask("POST", "/messages", json=BODY))[0] == 201
    assert len(world.delivered) == 3


# Magic numbers


async def outcome(world: World, recipient: int, reference: str = "ref-1") -> str:
    """Send once with the SDK; gives a word for how that ended for the client."""
    try:
        sent = await world.send(recipient, reference)
    except messagebird.ErrorException as error:
        return f"errors {[e.code for e in error.errors]}"
    except requests.HTTPError as error:
        return f"status {error.response.status_code}"
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return "cut"
    return "sent" if sent.id else "no id"


@pytest.mark.parametrize(
    ("number", "first_tries", "taken_then"),
    [
        (200, ["no id"], 1),
        (206, ["cut"], 1),
        (401, ["errors [2]", "errors [2]"], 0),
        (402, ["status 402", "status 402"], 0),
        (429, ["status 429", "status 429"], 0),
        (444, ["cut"], 0),
        (499, ["cut"], 1),
        (500, ["status 500"], 0),
        (502, ["status 502"], 1),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_magic_number_spoils_the_first_tries_of_each_reference(
    world: World, number: int, first_tries: list[str], taken_then: int
) -> None:
    for done, reference in enumerate(("ref-1", "ref-2")):
        tries = [await outcome(world, DRAMA + number, reference) for _ in first_tries]
        assert tries == first_tries
        assert len(world.delivered) == (done + 1) * taken_then + done
        assert await outcome(world, DRAMA + number, reference) == "sent"


@pytest.mark.parametrize(("number", "always"), [(422, "errors [9]"), (503, "status 503")])
@pytest_twisted.ensureDeferred
async def test_some_magic_numbers_never_take_a_message(world: World, number: int, always: str) -> None:
    assert [await outcome(world, DRAMA + number) for _ in range(4)] == [always] * 4
    assert world.delivered == []


@pytest.mark.parametrize(
    ("number", "error"),
    [(206, "IncompleteRead"), (444, "Connection reset by peer"), (499, "Connection reset by peer")],
)
@pytest_twisted.ensureDeferred
async def test_a_cut_off_answer_and_a_reset_are_told_apart(world: World, number: int, error: str) -> None:
    body = {**BODY, "recipients": [DRAMA + number]}
    headers = {"Authorization": f"AccessKey {KEY}"}
    with pytest.raises(requests.RequestException, match=error):
        await deferToThread(requests.post, f"{world.url}/messages", json=body, headers=headers)


@pytest_twisted.ensureDeferred
async def test_a_late_answer_comes_after_the_message_has_arrived(world: World) -> None:
    arrived: Deferred[None] = Deferred()
    world.on_delivery.append(lambda: arrived.callback(None))
    answer = Deferred.fromCoroutine(world.ask("POST", "/messages", json={**BODY, "recipients": [DRAMA + 408]}))
    await arrived
    assert (await world.ask("GET", "/sandbox/messages"))[1]["count"] == 1
    assert not answer.called
    (call,) = world.clock.getDelayedCalls()
    assert call.getTime() == START + 5
    world.clock.advance(5)
    assert (await answer)[0] == 201


@pytest_twisted.ensureDeferred
async def test_a_message_without_reference_is_told_by_its_recipient(world: World) -> None:
    body = {**BODY, "recipients": [PERSON, DRAMA + 500]}
    assert [(await world.ask("POST", "/messages", json=body))[0] for _ in range(2)] == [500, 201]


def test_every_magic_number_is_in_the_manual() -> None:
    text = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [n for n in BEHAVIOURS if f"`{n}`" not in text] == []


# The back door


@pytest_twisted.ensureDeferred
async def test_the_back_door_shows_what_was_delivered(world: World) -> None:
    sent = await world.send()
    status, answer = await world.ask("GET", "/sandbox/messages", key=None)
    assert (status, answer["count"]) == (200, 1)
    assert answer["items"] == [
        {
            "id": sent.id,
            "arrived_at": START,
            "reference": "ref-1",
            "originator": "MB",
            "recipients": [PERSON],
            "body": "This is a test message.",
            "datacoding": "plain",
            "parts": 1,
        }
    ]


@pytest.mark.parametrize(
    ("path", "name", "status", "code"),
    [("/sandbox/key", "valid", 401, 2), ("/sandbox/balance", "sufficient", 402, 25)],
)
@pytest_twisted.ensureDeferred
async def test_the_back_door_stops_all_sends_until_it_is_told(
    world: World, path: str, name: str, status: int, code: int
) -> None:
    await world.ask("POST", path, key=None, json={name: False})
    got, answer = await world.ask("POST", "/messages", json=BODY)
    assert (got, answer["errors"][0]["code"], world.delivered) == (status, code, [])
    await world.ask("POST", path, key=None, json={name: True})
    assert (await world.ask("POST", "/messages", json=BODY))[0] == 201


@pytest_twisted.ensureDeferred
async def test_the_balance_is_nothing_while_it_is_not_sufficient(world: World) -> None:
    await world.ask("POST", "/sandbox/balance", json={"sufficient": False})
    assert (await world.sdk("balance")).amount == 0


@pytest.mark.parametrize("body", [{}, {"valid": "no"}])
@pytest_twisted.ensureDeferred
async def test_the_back_door_wants_true_or_false(world: World, body: dict[str, Any]) -> None:
    assert (await world.ask("POST", "/sandbox/key", json=body))[0] == 400


@pytest_twisted.ensureDeferred
async def test_a_reset_makes_all_new(world: World) -> None:
    assert await outcome(world, DRAMA + 500) == "status 500"
    await world.send()
    await world.ask("POST", "/sandbox/key", json={"valid": False})
    assert (await world.ask("POST", "/sandbox/reset", key=None))[0] == 200
    assert (await world.ask("GET", "/sandbox/messages"))[1] == {"count": 0, "items": []}
    assert (await world.ask("GET", f"/messages?recipient={PERSON}"))[1]["totalCount"] == 0
    assert await outcome(world, DRAMA + 500) == "status 500"


# Beneath and around


def test_the_store_forgets_the_oldest() -> None:
    store = MessageStore(capacity=2)
    for id in "abc":
        message = StoredMessage(
            id=id,
            arrived_at=START,
            originator="MB",
            recipients=(PERSON, PERSON),
            body="Hi",
            datacoding=DataCoding.PLAIN,
            parts=1,
        )
        store.add(message)
    assert [m.id for m in store.oldest_first()] == ["b", "c"]
    assert [m.id for m in store.newest_first(PERSON)] == ["c", "b"]
    assert store.get("a") is None


@pytest_twisted.ensureDeferred
async def test_the_command_prints_each_sms() -> None:
    def run() -> list[str]:
        command = [sys.executable, "-m", "smsd.sandbox", "--listen", "tcp:0:interface=127.0.0.1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            greeting = process.stdout.readline()
            url = greeting.removeprefix("MessageBird sandbox at ").partition(",")[0]
            headers = {"Authorization": "AccessKey test_sandbox"}
            requests.post(f"{url}/messages", json=BODY, headers=headers, timeout=10).raise_for_status()
            line = process.stdout.readline()
            process.terminate()
            return [greeting, line]

    greeting, line = await deferToThread(run)
    assert greeting.endswith(", access key test_sandbox\n")
    assert line == "SMS to 31633450007 from MB: This is a test message. (1 part, plain)\n"
