"""The MessageBird gateway against a provider on a loopback port, faults and all."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from messagebird import Client
from messagebird.client import USER_AGENT
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.message import Message
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    LookupFailed,
    NotFound,
    Outcome,
    Postponed,
    Refused,
    Throttled,
    Unanswered,
)
from smsd.gateway.answers import Failure
from smsd.gateway.http import Declined, SessionClient
from smsd.gateway.messagebird import MAX_PAGES, PAGE, MessageBirdGateway
from smsd.gateway.sessions import IDLE_S, MAX_ANSWER, Broken
from smsd.ports import IGateway
from tests.integration import provider as faults
from tests.integration.provider import Behaviour, Provider, answer, http

KEY = "live_s3cretK3yAbCdEf"
NUMBER = "31612345678"
TIMEOUT_S = 1.0


def now() -> float:
    return float(reactor.seconds())


def message(**changes: Any) -> Message:
    given = Message(
        id="01JABCDEFGHJKMNPQRSTVWXYZ0",
        recipients=(Msisdn(NUMBER),),
        originator=Originator("smsd"),
        body="Grüße, 5 €",
        coding=DataCoding.PLAIN,
        segments=1,
        api_key="default",
        accepted_at=now(),
        attempted_at=now(),
        not_before=now(),
    )
    return attrs.evolve(given, **changes)


class Hand:
    """A monotonic clock that can be moved on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@asynccontextmanager
async def gateway_to(url: str, **changes: Any) -> AsyncIterator[MessageBirdGateway]:
    settings = {"reactor": reactor, "threads": 1, "timeout_s": TIMEOUT_S, "now": now, **changes}
    gateway = MessageBirdGateway(KEY, url, **settings)
    gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


@pytest_twisted.async_yield_fixture
async def gateway(provider: Provider) -> AsyncIterator[MessageBirdGateway]:
    async with gateway_to(provider.url) as gateway:
        yield gateway


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def in_thread(call: Callable[[], Any]) -> Any:
    return await deferToThread(call)


def test_it_is_a_gateway() -> None:
    gateway = MessageBirdGateway(KEY, "http://x", reactor=reactor, threads=1, timeout_s=1.0, now=now)
    assert verifyObject(IGateway, gateway)


# Sending


@pytest_twisted.ensureDeferred
async def test_a_message_arrives_as_it_was_asked_for(provider: Provider, gateway: MessageBirdGateway) -> None:
    many = message(recipients=(Msisdn(NUMBER), Msisdn("4915112345678")), coding=DataCoding.UNICODE)
    outcome = await gateway.send(many)
    (id,) = provider.stored
    assert outcome == Accepted(provider_id=id)
    (arrival,) = provider.arrivals
    assert (arrival.method, arrival.path) == ("POST", "/messages")
    assert arrival.json() == {
        "originator": "smsd",
        "recipients": f"{NUMBER},4915112345678",
        "body": "Grüße, 5 €",
        "type": "sms",
        "reference": many.id,
        "datacoding": "unicode",
    }
    assert "Grüße".encode() in arrival.body
    assert arrival.headers["authorization"] == f"AccessKey {KEY}"
    assert arrival.headers["content-type"] == "application/json; charset=UTF-8"
    assert arrival.headers["user-agent"] == USER_AGENT


@pytest_twisted.ensureDeferred
async def test_a_message_is_not_changed_by_being_sent(provider: Provider, gateway: MessageBirdGateway) -> None:
    given = message()
    before = attrs.asdict(given)
    for _ in range(2):
        await gateway.send(given)
    assert attrs.asdict(given) == before
    first, second = provider.posts()
    assert first.body == second.body


@pytest.mark.parametrize(("left_s", "validity"), [(3600.9, 3600), (1.5, 1), (0.5, 1), (-9.0, 1)])
@pytest_twisted.ensureDeferred
async def test_the_validity_is_what_is_left_of_it(provider: Provider, left_s: float, validity: int) -> None:
    async with gateway_to(provider.url, now=lambda: 1000.0) as gateway:
        await gateway.send(message(valid_until=1000.0 + left_s))
    assert provider.arrivals[0].json()["validity"] == validity


SAID: list[tuple[Behaviour, type[Outcome], str]] = [
    (faults.WRONG_KEY, HeldOff, "answered 401; Request not allowed (incorrect access_key) (code 2)"),
    (faults.NO_BALANCE, HeldOff, "answered 402; Not enough balance (code 25)"),
    (faults.errors(422, 25, "Not enough balance"), HeldOff, "answered 422; Not enough balance (code 25)"),
    (answer(403), HeldOff, "answered 403"),
    (faults.UNPROCESSABLE, Refused, "no (correct) recipients found (code 9) [recipients]"),
    (faults.errors(400, 21, "Bad request"), Refused, "answered 400; Bad request (code 21)"),
    (faults.errors(404, 20, "Not found"), Refused, "answered 404; Not found (code 20)"),
    (answer(405, b"<html>"), Refused, "answered 405"),
    (faults.TOO_MANY, Throttled, "answered 429; the request has not been processed"),
    (answer(408), Unanswered, "answered 408"),
    (faults.INTERNAL, Unanswered, "answered 500; Internal error (code 99)"),
    (faults.HTML_ERROR, Unanswered, "answered 502"),
    (answer(503, b"[" * 100_000), Unanswered, "answered 503"),
    (answer(302, b"moved", Location="/elsewhere"), HeldOff, "answered 302"),
    (answer(307, Location="/messages"), HeldOff, "answered 307"),
    (answer(308, Location="http://[bad"), HeldOff, "answered 308"),
    (answer(301), HeldOff, "answered 301"),
    (faults.NOT_JSON, Unanswered, Failure.UNREADABLE.value),
    (faults.TWICE, Unanswered, Failure.UNREADABLE.value),
    (faults.EMPTY, Unanswered, "answered 200"),
    (faults.NO_ID, Unanswered, "answered 200"),
    (answer(201, b"5"), Unanswered, Failure.UNREADABLE.value),
    (answer(201, b"null"), Unanswered, Failure.UNREADABLE.value),
    (answer(201, b"[]"), Unanswered, "answered 200"),
    (answer(201, b"[" * 100_000), Unanswered, Failure.UNREADABLE.value),
    (answer(201, b"\xff\xfe"), Unanswered, Failure.UNREADABLE.value),
    (answer(201, b'{"errors": 5}'), Unanswered, Failure.UNREADABLE.value),
    (answer(201, {"errors": ["no"]}), Unanswered, Failure.UNREADABLE.value),
    (answer(200, {"errors": [{"code": 9, "description": "odd"}]}), Unanswered, "odd (code 9)"),
    (answer(201, b" " * (MAX_ANSWER + 1)), Unanswered, Failure.TOO_BIG.value),
    (answer(201, b"not packed", Content_Encoding="gzip"), Unanswered, Failure.CUT.value),
    (faults.CLOSES, Unanswered, Failure.CUT.value),
    (faults.RESETS, Unanswered, Failure.CUT.value),
    (faults.CUT, Unanswered, Failure.CUT.value),
    (faults.CUT_CHUNK, Unanswered, Failure.CUT.value),
    (faults.NO_HTTP, Unanswered, Failure.CUT.value),
    (Behaviour(reply=b"HTTP/1.1 201 Created\r\nContent-Length: 5, 6\r\n\r\n"), Unanswered, Failure.CUT.value),
    (faults.SILENT, Unanswered, Failure.LATE.value),
    (faults.TRICKLES_HEAD, Unanswered, Failure.LATE.value),
    (faults.TRICKLES_BODY, Unanswered, Failure.LATE.value),
]


@pytest.mark.parametrize(("behaviour", "kind", "words"), SAID)
@pytest_twisted.ensureDeferred
async def test_whatever_the_provider_does_is_an_outcome_and_is_not_asked_for_twice(
    provider: Provider, gateway: MessageBirdGateway, behaviour: Behaviour, kind: type[Outcome], words: str
) -> None:
    provider.script([behaviour])
    outcome = await gateway.send(message())
    assert type(outcome) is kind
    assert words in outcome.reason
    assert len(provider.arrivals) == 1
    assert provider.connections == 1
    assert not provider.stored
    # Whatever it was, the next one goes through.
    assert isinstance(await gateway.send(message()), Accepted)


BEGINS_LATE = Behaviour(reply=b"HTTP/1.1 201 Created\r\n", pause_s=TIMEOUT_S * 0.9)


@pytest.mark.timed
@pytest.mark.parametrize("behaviour", [faults.SILENT, faults.TRICKLES_HEAD, faults.TRICKLES_BODY, BEGINS_LATE])
@pytest_twisted.ensureDeferred
async def test_a_slow_answer_is_waited_for_no_longer_than_the_timeout(
    provider: Provider, gateway: MessageBirdGateway, behaviour: Behaviour
) -> None:
    provider.script([behaviour])
    began = time.monotonic()
    assert await gateway.send(message()) == Unanswered(reason=Failure.LATE.value, late=True)
    assert (
        TIMEOUT_S <= time.monotonic() - began < TIMEOUT_S + 3.0
    )  # a busy machine is late; a trickle of 8 s or more would be later


@pytest_twisted.ensureDeferred
async def test_an_answer_within_the_timeout_is_waited_for(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([Behaviour(pause_s=TIMEOUT_S / 2)])
    assert isinstance(await gateway.send(message()), Accepted)


@pytest_twisted.ensureDeferred
async def test_what_could_not_begin_in_time_is_not_sent(provider: Provider, gateway: MessageBirdGateway) -> None:
    assert await gateway.send(message(), time.monotonic()) == Postponed(reason=Failure.TOO_LATE.value)
    assert provider.arrivals == []
    assert isinstance(await gateway.send(message(), time.monotonic() + 60), Accepted)


@pytest_twisted.ensureDeferred
async def test_what_is_said_before_the_answer_is_not_the_answer(
    provider: Provider, gateway: MessageBirdGateway
) -> None:
    told = faults.answer(201, {"id": "real"}).reply or b""
    early = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    provider.script([Behaviour(reply=early + told), answer(422)])
    assert await gateway.send(message()) == Accepted(provider_id="real")
    # Its answer is its own.
    assert isinstance(await gateway.send(message()), Refused)
    assert provider.connections == 1


@pytest_twisted.ensureDeferred
async def test_a_connection_on_which_something_else_than_http_begins_is_left(
    provider: Provider, gateway: MessageBirdGateway
) -> None:
    provider.script([Behaviour(reply=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n")])
    assert isinstance(await gateway.send(message()), Unanswered)
    assert isinstance(await gateway.send(message()), Accepted)
    assert provider.connections == 2


@pytest_twisted.ensureDeferred
async def test_an_id_that_no_database_takes_is_mended(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([answer(201, b'{"id": "a\\u0000b"}')])
    assert await gateway.send(message()) == Accepted(provider_id="a?b")


@pytest_twisted.ensureDeferred
async def test_an_id_among_spoiled_letters_is_read(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([answer(201, b'{"id": "a1", "body": "\xff"}')])
    assert await gateway.send(message()) == Accepted(provider_id="a1")


@pytest_twisted.ensureDeferred
async def test_the_provider_says_how_long_to_wait(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([faults.TOO_MANY])
    outcome = await gateway.send(message())
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after_s == 7.0


@pytest_twisted.ensureDeferred
async def test_the_provider_says_until_when_to_wait_by_its_own_clock(
    provider: Provider, gateway: MessageBirdGateway
) -> None:
    until, date = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:30 GMT"
    provider.script([answer(429, Retry_After=until, Date=date), answer(503, Retry_After=until, Date=date)])
    throttled, unanswered = [await gateway.send(message()) for _ in range(2)]
    assert throttled == Throttled(reason="the provider answered 429", retry_after_s=7.0)
    assert unanswered == Unanswered(reason="the provider answered 503", retry_after_s=7.0)


@pytest_twisted.ensureDeferred
async def test_what_a_provider_echoes_stays_out_of_the_reason(provider: Provider, gateway: MessageBirdGateway) -> None:
    echo = f"{KEY} may not send Grüße, 5 € to {NUMBER}"
    provider.script([faults.errors(422, 9, echo)])
    assert await gateway.send(message()) == Refused(
        reason="the provider answered 422; *** may not send *** to *** (code 9)"
    )


@pytest_twisted.ensureDeferred
async def test_a_text_that_cannot_be_written_is_refused(provider: Provider, gateway: MessageBirdGateway) -> None:
    assert await gateway.send(message(body="\ud800")) == Refused(reason=Failure.UNWRITABLE.value)
    assert provider.connections == 0


# What never went out


@pytest_twisted.ensureDeferred
async def test_a_refused_connection_postpones() -> None:
    async with gateway_to(f"http://127.0.0.1:{closed_port()}") as gateway:
        assert await gateway.send(message()) == Postponed(reason=Failure.UNREACHABLE.value)


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_not_known_postpones() -> None:
    async with gateway_to("http://provider.invalid") as gateway:
        assert await gateway.send(message()) == Postponed(reason=Failure.UNRESOLVED.value)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/", "http://", "http://[bad"])
@pytest_twisted.ensureDeferred
async def test_an_address_that_is_none_postpones(url: str) -> None:
    async with gateway_to(url) as gateway:
        assert await gateway.send(message()) == Postponed(reason=Failure.UNREACHABLE.value)


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_reset_at_once_is_postponed_or_unanswered(
    provider: Provider, gateway: MessageBirdGateway
) -> None:
    # The reset races with the request: seen before the first octet goes out, nothing was sent.
    provider.script([faults.UNREAD])
    outcome = await gateway.send(message())
    assert outcome in (Postponed(reason=Failure.UNREACHABLE.value), Unanswered(reason=Failure.CUT.value))
    assert provider.arrivals == []
    assert provider.connections == 1


def speaks_ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-nothing\r\n")


def hangs_up(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("treat", [speaks_ssh, hangs_up])
@pytest_twisted.ensureDeferred
async def test_a_failed_handshake_postpones(treat: Callable[[socket.socket], None]) -> None:
    with listening(treat) as port:
        async with gateway_to(f"https://127.0.0.1:{port}") as gateway:
            assert await gateway.send(message()) == Postponed(reason=Failure.TLS_FAILED.value)


class listening:  # noqa: N801
    """A port on which one connection is taken, and treated in a thread."""

    def __init__(self, treat: Callable[[socket.socket], object]) -> None:
        self._treat = treat

    def __enter__(self) -> int:
        self._port = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return int(self._port.getsockname()[1])

    def _serve(self) -> None:
        connection, _ = self._port.accept()
        with connection, suppress(ConnectionResetError):
            self._treat(connection)
            while connection.recv(4096):
                pass

    def __exit__(self, *exc: object) -> None:
        self._thread.join(5)
        self._port.close()


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_hangs_postpones() -> None:
    with listening(lambda connection: None) as port:
        client = SessionClient(f"https://127.0.0.1:{port}", KEY, read_s=9.0, clock=time.monotonic, connect_s=0.2)
        with pytest.raises(Broken) as broken:
            await in_thread(lambda: client.request("messages", "POST", {}))
    assert broken.value.failure is Failure.CONNECT_LATE


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_not_taken_postpones() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:  # fill the backlog, so that the kernel leaves the next one unanswered
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        client = SessionClient(f"http://127.0.0.1:{port}", KEY, read_s=9.0, clock=time.monotonic, connect_s=0.2)
        with pytest.raises(Broken) as broken:
            await in_thread(lambda: client.request("messages", "POST", {}))
        for each in waiting:
            each.close()
    assert broken.value.failure is Failure.CONNECT_LATE


@pytest_twisted.ensureDeferred
async def test_what_never_went_out_is_told_apart_on_a_used_session_as_well() -> None:
    provider = Provider(reactor)
    await provider.start()
    async with gateway_to(provider.url) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)
        await provider.stop()
        assert await gateway.send(message()) == Postponed(reason=Failure.UNREACHABLE.value)


# Connections


@pytest_twisted.ensureDeferred
async def test_many_requests_share_one_connection(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([faults.WORKS, faults.UNPROCESSABLE, faults.INTERNAL, answer(302, b"x"), faults.EMPTY])
    for _ in range(10):
        await gateway.send(message())
    assert [arrival.connection for arrival in provider.arrivals] == [1] * 10


@pytest_twisted.ensureDeferred
async def test_a_connection_that_has_failed_is_not_used_again(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([faults.WORKS, answer(201, b" " * (MAX_ANSWER + 1)), faults.WORKS])
    for _ in range(3):
        await gateway.send(message())
    assert [arrival.connection for arrival in provider.arrivals] == [1, 1, 2]


@pytest.mark.parametrize(("idle_s", "connections"), [(IDLE_S - 0.5, 1), (IDLE_S + 0.1, 2)])
@pytest_twisted.ensureDeferred
async def test_an_idle_connection_is_replaced_before_the_provider_closes_it(
    provider: Provider, idle_s: float, connections: int
) -> None:
    hand = Hand()
    async with gateway_to(provider.url, monotonic=hand) as gateway:
        await gateway.send(message())
        hand.ahead_s += idle_s
        await gateway.send(message())
    assert provider.connections == connections


@pytest_twisted.ensureDeferred
async def test_a_connection_the_provider_closed_meanwhile_is_no_failure(
    provider: Provider, gateway: MessageBirdGateway
) -> None:
    provider.script([Behaviour(idle_s=0.05)])
    await gateway.send(message())
    (conversation,) = provider.open
    await conversation.gone
    assert isinstance(await gateway.send(message()), Accepted)
    assert len(provider.posts()) == 2


@pytest_twisted.ensureDeferred
async def test_each_thread_has_a_connection_of_its_own(provider: Provider) -> None:
    provider.script([Behaviour(pause_s=0.1)] * 4)
    async with gateway_to(provider.url, threads=4) as gateway:
        sends = [Deferred.fromCoroutine(gateway.send(message())) for _ in range(4)]
        assert [type(outcome) for outcome in await gatherResults(sends)] == [Accepted] * 4
    assert {arrival.connection for arrival in provider.arrivals} == {1, 2, 3, 4}


@pytest.mark.parametrize("path", ["", "/", "/prefix", "/prefix/", "/a/b"])
@pytest_twisted.ensureDeferred
async def test_the_address_may_have_a_path(provider: Provider, path: str) -> None:
    async with gateway_to(provider.url + path) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)
    assert provider.arrivals[0].path == path.rstrip("/") + "/messages"


# The environment


@pytest_twisted.ensureDeferred
async def test_nothing_of_the_environment_is_heeded(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login thief password stolen\n")
    netrc.chmod(0o600)
    for name, value in {
        "HOME": str(tmp_path),
        "NETRC": str(netrc),
        "HTTP_PROXY": f"http://127.0.0.1:{closed_port()}",
        "ALL_PROXY": f"http://127.0.0.1:{closed_port()}",
    }.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with gateway_to(provider.url) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)
    assert provider.arrivals[0].headers["authorization"] == f"AccessKey {KEY}"


@pytest_twisted.ensureDeferred
async def test_a_name_in_the_address_does_not_replace_the_key(provider: Provider) -> None:
    async with gateway_to(provider.url.replace("//", "//thief:stolen@")) as gateway:
        await gateway.send(message())
    assert provider.arrivals[0].headers["authorization"] == f"AccessKey {KEY}"


@pytest_twisted.ensureDeferred
async def test_the_provider_cannot_set_cookies(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([answer(201, {"id": "x"}, Set_Cookie="a=b; Path=/")])
    for _ in range(2):
        await gateway.send(message())
    assert "cookie" not in provider.arrivals[1].headers


# The SDK's own calls, over our client


@pytest_twisted.ensureDeferred
async def test_the_sdks_own_calls_work_over_the_client(provider: Provider) -> None:
    client = SessionClient(provider.url, KEY, read_s=TIMEOUT_S, clock=time.monotonic)
    sdk = Client(KEY, http_client=client)
    sent = await in_thread(lambda: sdk.message_create("smsd", [NUMBER], "hi", {"reference": "r"}))
    listed = await in_thread(lambda: sdk.message_list())
    assert [item.id for item in listed.items] == [sent.id]
    client.close()


@pytest_twisted.ensureDeferred
async def test_no_error_shows_what_the_provider_echoed(provider: Provider) -> None:
    client = SessionClient(provider.url, KEY, read_s=TIMEOUT_S, clock=time.monotonic)
    provider.script([faults.errors(422, 9, f"{KEY} {NUMBER}")])
    with pytest.raises(Declined) as declined:
        await in_thread(lambda: client.request("messages", "POST", {"body": "x"}))
    client.close()
    assert KEY not in f"{declined.value!r} {declined.value}"


# Lookups


@pytest_twisted.ensureDeferred
async def test_a_message_the_provider_took_is_found(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script([faults.RESETS_BUT_TAKEN])
    assert isinstance(await gateway.send(message()), Unanswered)
    (id,) = provider.stored
    assert await gateway.lookup(message()) == Found(provider_id=id)


@pytest_twisted.ensureDeferred
async def test_a_message_the_provider_does_not_have_is_not_found(
    provider: Provider, gateway: MessageBirdGateway
) -> None:
    await gateway.send(message(id="another"))
    assert await gateway.lookup(message()) == NotFound()


@pytest_twisted.ensureDeferred
async def test_a_lookup_asks_for_the_recipient_around_the_attempt(provider: Provider) -> None:
    async with gateway_to(provider.url, now=lambda: 1767225700.5) as gateway:
        await gateway.lookup(message(attempted_at=1767225600.25))
    assert provider.arrivals[0].query == {
        "recipient": NUMBER,
        "from": "2025-12-31T23:50:00+00:00",
        "until": "2026-01-01T00:11:40+00:00",
        "limit": str(PAGE),
        "offset": "0",
    }


def fields(reference: str | None) -> dict[str, Any]:
    return {"recipients": NUMBER, "reference": reference, "originator": "smsd", "body": "x"}


@pytest_twisted.ensureDeferred
async def test_a_message_is_found_on_the_last_page(provider: Provider, gateway: MessageBirdGateway) -> None:
    wanted = provider.keep(fields(message().id))
    for _ in range(2 * PAGE):
        provider.keep(fields(None))
    assert await gateway.lookup(message()) == Found(provider_id=wanted["id"])
    assert [arrival.query["offset"] for arrival in provider.gets()] == ["0", str(PAGE), str(2 * PAGE)]


@pytest_twisted.ensureDeferred
async def test_a_message_is_not_found_only_after_the_last_page(provider: Provider, gateway: MessageBirdGateway) -> None:
    for _ in range(2 * PAGE):
        provider.keep(fields(None))
    assert await gateway.lookup(message()) == NotFound()
    assert len(provider.gets()) == 2


@pytest_twisted.ensureDeferred
async def test_a_list_without_an_end_cannot_be_told(provider: Provider, gateway: MessageBirdGateway) -> None:
    for _ in range(MAX_PAGES * PAGE + 1):
        provider.keep(fields(None))
    result = await gateway.lookup(message())
    assert result == LookupFailed(reason=f"the provider lists more than {MAX_PAGES * PAGE} messages")
    assert len(provider.gets()) == MAX_PAGES


@pytest.mark.timed
@pytest_twisted.ensureDeferred
async def test_lookups_keep_to_fifty_a_second(provider: Provider, gateway: MessageBirdGateway) -> None:
    # The first two are slow: what has waited for them must not follow in a bunch.
    provider.script_lists([Behaviour(pause_s=0.3)] * 2)
    lookups = [Deferred.fromCoroutine(gateway.lookup(message())) for _ in range(60)]
    assert set(await gatherResults(lookups)) == {NotFound()}
    at = [arrival.at_monotonic for arrival in provider.gets()]
    assert len(at) == 60
    assert all(later - earlier >= 1.0 for earlier, later in zip(at, at[50:], strict=False))
    assert all(later - earlier >= 0.1 for earlier, later in zip(at, at[5:], strict=False))


def page(items: Any, total: Any) -> Behaviour:
    return answer(200, {"offset": 0, "limit": PAGE, "count": 1, "totalCount": total, "items": items})


OTHER = {"id": "x", "reference": None}
NOT_TOLD: list[tuple[list[Behaviour], str]] = [
    ([faults.WRONG_KEY], "answered 401; Request not allowed"),
    ([faults.TOO_MANY], "answered 429"),
    ([faults.INTERNAL], "answered 500"),
    ([faults.errors(404, 20, "no message for 31612345678")], "no message for ***"),
    ([answer(302, b"", Location="/messages")], "answered 302"),
    ([faults.SILENT], Failure.LATE.value),
    ([faults.RESETS], Failure.CUT.value),
    ([faults.CUT], Failure.CUT.value),
    ([answer(200, b"<html>")], Failure.UNREADABLE.value),
    ([answer(200, b"")], Failure.UNREADABLE.value),
    ([answer(200, {})], Failure.UNREADABLE.value),
    ([answer(200, [])], Failure.UNREADABLE.value),
    ([page(None, 0)], Failure.UNREADABLE.value),
    ([page([], None)], Failure.UNREADABLE.value),
    ([page([5], 1)], Failure.UNREADABLE.value),
    ([page([OTHER], 3), page([OTHER], 2)], "deleted while"),
    ([page([OTHER], 3), page([], 3)], "ended before"),
    ([page([OTHER], 2), faults.INTERNAL], "answered 500"),
]


@pytest.mark.parametrize(("lists", "words"), NOT_TOLD)
@pytest_twisted.ensureDeferred
async def test_a_lookup_that_fails_does_not_say_not_found(
    provider: Provider, gateway: MessageBirdGateway, lists: list[Behaviour], words: str
) -> None:
    provider.script_lists(lists)
    result = await gateway.lookup(message())
    assert isinstance(result, LookupFailed)
    assert words in result.reason
    assert NUMBER not in result.reason
    assert len(provider.gets()) == len(lists)


@pytest_twisted.ensureDeferred
async def test_one_of_ours_without_an_id_is_there_all_the_same(provider: Provider, gateway: MessageBirdGateway) -> None:
    provider.script_lists([page([{"reference": message().id}], 1)])
    assert await gateway.lookup(message()) == Found(provider_id="")


@pytest_twisted.ensureDeferred
async def test_lookups_do_not_delay_sends(provider: Provider) -> None:
    provider.script_lists([faults.SILENT] * 2)
    async with gateway_to(provider.url, timeout_s=60.0) as gateway:
        lookups = [Deferred.fromCoroutine(gateway.lookup(message())) for _ in range(5)]
        while len(provider.gets()) < 2:
            await deferLater(reactor, 0)
        assert isinstance(await gateway.send(message()), Accepted)
        assert not any(lookup.called for lookup in lookups)
        for conversation in list(provider.open):
            conversation.transport.abortConnection()
        await gatherResults(lookups)


# Beginning and end


@pytest_twisted.ensureDeferred
async def test_a_gateway_that_is_not_open_postpones(provider: Provider) -> None:
    gateway = MessageBirdGateway(KEY, provider.url, reactor=reactor, threads=1, timeout_s=1.0, now=now)
    assert isinstance(await gateway.send(message()), Postponed)
    assert isinstance(await gateway.lookup(message()), LookupFailed)
    gateway.start()
    await gateway.close()
    await gateway.close()
    assert isinstance(await gateway.send(message()), Postponed)
    assert isinstance(await gateway.lookup(message()), LookupFailed)
    assert provider.arrivals == []


@pytest_twisted.ensureDeferred
async def test_closing_waits_for_what_is_under_way_without_blocking(provider: Provider) -> None:
    provider.script([Behaviour(pause_s=0.25)])
    provider.script_lists([Behaviour(pause_s=0.1)])
    async with gateway_to(provider.url, threads=1) as gateway:
        send = Deferred.fromCoroutine(gateway.send(message()))
        queued = Deferred.fromCoroutine(gateway.send(message()))
        lookups = [Deferred.fromCoroutine(gateway.lookup(message())) for _ in range(4)]
        while len(provider.arrivals) < 2:
            await deferLater(reactor, 0)
    assert all(each.called for each in [send, queued, *lookups])
    assert isinstance(await send, Accepted)
    assert isinstance(await queued, Accepted)
    results = [type(result) for result in await gatherResults(lookups)]
    assert NotFound in results or Found in results
    assert LookupFailed in results
    names = [thread.name for thread in threading.enumerate()]
    assert not any("messagebird" in name for name in names)


@pytest_twisted.ensureDeferred
async def test_closing_leaves_no_lookup_behind(provider: Provider) -> None:
    async with gateway_to(provider.url) as gateway:
        lookups = [Deferred.fromCoroutine(gateway.lookup(message())) for _ in range(9)]
    assert all(lookup.called for lookup in lookups)


@pytest_twisted.ensureDeferred
async def test_closing_lets_go_of_the_connections(provider: Provider) -> None:
    async with gateway_to(provider.url) as gateway:
        await gateway.send(message())
        (conversation,) = provider.open
    # The gateway is still known here: it is not its end that closes them.
    await conversation.gone.addTimeout(1.0, reactor)
    assert gateway is not None


@pytest_twisted.ensureDeferred
async def test_the_threads_are_named(provider: Provider, gateway: MessageBirdGateway) -> None:
    await gateway.send(message())
    await gateway.lookup(message())
    names = " ".join(thread.name for thread in threading.enumerate())
    assert "messagebird-send" in names
    assert "messagebird-lookup" in names


def test_an_answer_of_the_provider_is_well_formed() -> None:
    assert http(201, {"a": 1}).endswith(b'Content-Length: 8\r\n\r\n{"a": 1}')
