"""Callbacks against receivers on loopback ports that behave well, badly and worse."""

import gzip
import hmac
import tracemalloc
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, gatherResults
from twisted.internet.endpoints import TCP6ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.server import Site
from zope.interface import implementer
from zope.interface.verify import verifyObject

from smsd.callbacks.bounds import LINGER_S, MAX_ANSWER
from smsd.callbacks.guard import AddressRefused, GuardedEndpoint
from smsd.callbacks.http import HttpCallbacks
from smsd.callbacks.lanes import Lanes
from smsd.callbacks.names import INames, SystemNames, Unresolved, _look_up
from smsd.core.callback import Answered, Callback, Delivered, Failed, Gone
from smsd.core.receiver import host_of
from smsd.core.signature import sign
from tests.integration.receiver import OK, Connection, Receiver, Script, certificate, status

NOW = 1614265330.9
SECRET = b"a" * 32
OLD = b"b" * 32
#: Seconds; as short as a loaded machine allows.
SOON_S = 0.5

Start = Callable[..., Awaitable[Receiver]]


@implementer(INames)
class Names:
    """Knows the addresses it is told, the next ones at each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def addresses(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@implementer(INames)
class NoNames:
    """Knows nobody."""

    async def addresses(self, host: str) -> Sequence[str]:
        raise Unresolved


@implementer(INames)
class SilentNames:
    """Never answers, as behind a dead name server."""

    async def addresses(self, host: str) -> Sequence[str]:
        return await Deferred()


@pytest_twisted.async_yield_fixture
async def names() -> AsyncIterator[SystemNames]:
    """The system's resolver."""
    names = SystemNames(reactor)
    names.start()
    yield names
    await names.close()


@pytest_twisted.async_yield_fixture
async def start() -> AsyncIterator[Start]:
    """Starts receivers; stopped at the end."""
    started: list[Receiver] = []

    async def start(script: Script | bytes = OK, certificate: Any = None) -> Receiver:
        script = Script(reply=script) if isinstance(script, bytes) else script
        started.append(await Receiver(script, certificate).start(reactor))
        return started[-1]

    yield start
    for receiver in started:
        await receiver.stop()


def callbacks(names: Any = None, *, allow_private: bool = True, timeout_s: float = 10.0, **more: Any) -> HttpCallbacks:
    return HttpCallbacks(
        reactor,
        lambda: NOW,
        {"acme": [SECRET, OLD]},
        names=names or Names(["127.0.0.1"]),
        allow_private=allow_private,
        timeout_s=timeout_s,
        **more,
    )


def callback(url: str, **fields: Any) -> Callback:
    return Callback(**{"id": "cb_1", "url": url, "body": b'{"a":1}', "api_key": "acme", "created_at": 0.0} | fields)


async def post(receiver: Receiver, **more: Any) -> Answered:
    return await callbacks(**more).post(callback(receiver.url()))


def elapsed(since: float) -> float:
    return reactor.seconds() - since  # type: ignore[attr-defined]


async def all_lost(receiver: Receiver, within_s: float) -> None:
    """Wait until the receiver has no connection any more; fails after ``within_s`` seconds."""
    for connection in receiver.connections:
        await connection.lost.addTimeout(within_s, reactor)


# What is posted


@pytest_twisted.ensureDeferred
async def test_a_callback_is_posted_as_json_with_the_headers_of_standard_webhooks(start: Start) -> None:
    receiver = await start()
    assert await post(receiver) == Delivered()
    (connection,) = receiver.connections
    head = connection.head()
    assert head[""] == "POST /hook HTTP/1.1"
    assert head["host"] == f"127.0.0.1:{receiver.port}"
    assert head["content-type"] == "application/json"
    assert head["webhook-id"] == "cb_1"
    assert head["webhook-timestamp"] == "1614265330"
    assert head["webhook-signature"] == sign([SECRET, OLD], "cb_1", 1614265330, b'{"a":1}')
    assert connection.body() == b'{"a":1}'


@pytest_twisted.ensureDeferred
async def test_a_receiver_on_twisted_web_can_verify_what_it_gets() -> None:
    app, verified = Klein(), []

    @app.route("/<path:path>", methods=["POST"])
    def receive(request: Any, path: str) -> bytes:
        id, timestamp, signatures = (request.getHeader(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
        content = f"{id}.{timestamp}.".encode() + request.content.read()
        wanted = hmac.new(OLD, content, "sha256").digest()
        verified.append(any(b64decode(each.removeprefix("v1,")) == wanted for each in signatures.split(" ")))
        return request.uri

    port = reactor.listenTCP(0, Site(app.resource()), interface="127.0.0.1")  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{port.getHost().port}/a%2Fb;c?x=%41&y=+#top"
    assert await callbacks().post(callback(url, body=b"\xc3\xa9" * 100_000)) == Delivered()
    assert verified == [True]
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_the_path_goes_out_as_it_was_given(start: Start) -> None:
    receiver = await start()
    assert await callbacks().post(callback(receiver.url(path="/a%2Fb;c?x=%41&y=+"))) == Delivered()
    assert receiver.connections[0].head()[""] == "POST /a%2Fb;c?x=%41&y=+ HTTP/1.1"


@pytest_twisted.ensureDeferred
async def test_a_callback_of_a_key_without_a_secret_is_posted_unsigned(start: Start) -> None:
    receiver = await start()
    assert await callbacks().post(callback(receiver.url(), api_key="other")) == Delivered()
    head = receiver.connections[0].head()
    assert "webhook-signature" not in head
    assert head["webhook-id"] == "cb_1"


@pytest_twisted.ensureDeferred
async def test_a_cookie_of_a_receiver_is_never_sent_back(start: Start) -> None:
    receiver = await start(status(200, "Set-Cookie: session=1; Path=/"))
    poster = callbacks()
    for _ in range(2):
        assert await poster.post(callback(receiver.url())) == Delivered()
    assert "cookie" not in receiver.connections[1].head()


# What is answered


@pytest.mark.parametrize(
    ("code", "answered"),
    [
        (200, Delivered()),
        (201, Delivered()),
        (204, Delivered()),
        (299, Delivered()),
        (410, Gone()),
        (400, Failed(reason="the receiver answered 400")),
        (404, Failed(reason="the receiver answered 404")),
        (500, Failed(reason="the receiver answered 500")),
        (999, Failed(reason="the receiver answered 999")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_status_says_what_became_of_a_callback(start: Start, code: int, answered: Answered) -> None:
    assert await post(await start(status(code))) == answered


@pytest.mark.parametrize(
    ("code", "header", "wait_s"),
    [
        (429, "120", 120.0),
        (503, "0", 0.0),
        (503, "Thu, 25 Feb 2021 15:03:10 GMT", 60.0),
        (503, "Thu, 25 Feb 2021 15:00:00 GMT", 0.0),
        (503, "soon", None),
        (503, "-1", None),
        (503, "1e400", None),
        (500, "120", None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_busy_receiver_says_when_to_come_again(
    start: Start, code: int, header: str, wait_s: float | None
) -> None:
    answered = await post(await start(status(code, f"Retry-After: {header}")))
    assert isinstance(answered, Failed)
    assert answered.retry_after_s == (None if wait_s is None else pytest.approx(wait_s, abs=1.0))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest_twisted.ensureDeferred
async def test_a_redirect_is_a_failure_and_not_followed(start: Start, code: int) -> None:
    other = await start()
    answered = await post(await start(status(code, f"Location: {other.url()}")))
    assert answered == Failed(reason=f"the receiver answered {code}, and redirects are not followed")
    assert other.connections == []


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00" * 100]
)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_or_is_none_is_a_failure(start: Start, reply: bytes) -> None:
    answered = await post(await start(Script(reply=reply, close=True)))
    assert answered == Failed(reason="the connection to the receiver broke before its answer was in")


@pytest.mark.parametrize("cut", [b"Content-Length: 10\r\n\r\n123", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"])
@pytest_twisted.ensureDeferred
async def test_the_status_counts_even_if_the_rest_of_the_answer_is_cut(start: Start, cut: bytes) -> None:
    assert await post(await start(Script(reply=b"HTTP/1.1 200 OK\r\n" + cut, close=True))) == Delivered()


@pytest_twisted.ensureDeferred
async def test_a_port_where_nobody_listens_is_a_failure(start: Start) -> None:
    receiver = await start()
    await receiver.stop()
    assert await post(receiver) == Failed(reason="no connection to the receiver could be made")


STATUSES = ["200", "204", "304", "101", "100", "429", "503", "0", "-1", "2e2", "", "99999"]
NAMES = ["Content-Length", "Transfer-Encoding", "Content-Encoding", "Set-Cookie", "Retry-After", "Connection", "", "é"]
VALUES = ["gzip", "chunked", "-1", "5", "0x5", "x=1; expires=never; domain=.", "close", "", "\x00", "é", "9" * 400]
BODIES = [b"", b"5\r\nhello\r\n0\r\n\r\n", b"-5\r\n", b"\x1f\x8b\x08", b"\r\n\r\n", bytes(range(256))]


def nonsense(chance: Random) -> bytes:
    """An answer that is nearly one of HTTP."""
    headers = "".join(f"{chance.choice(NAMES)}: {chance.choice(VALUES)}\r\n" for _ in range(chance.randrange(4)))
    reply = f"HTTP/1.1 {chance.choice(STATUSES)} X\r\n{headers}\r\n".encode() + chance.choice(BODIES)
    return reply if chance.random() < 0.7 else reply[: chance.randrange(len(reply))]


@pytest.mark.parametrize("seed", list(range(5)))
@pytest_twisted.ensureDeferred
async def test_whatever_a_receiver_writes_there_is_an_answer(start: Start, seed: int) -> None:
    chance = Random(seed)
    receiver = await start()
    for _ in range(100):
        receiver.script = Script(reply=nonsense(chance), close=True)
        assert isinstance(await post(receiver), Delivered | Gone | Failed)


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=st.from_regex(r"[a-z0-9_.\-]{1,30}|\[[0-9a-f:.]{2,30}\]", fullmatch=True),
    rest=st.text("abc019._~:/?#[]@!$&'()*+,;=%-", max_size=30),
)
def test_whatever_url_is_taken_there_is_an_answer(scheme: str, host: str, rest: str) -> None:
    posting = ensureDeferred(callbacks(NoNames()).post(callback(f"{scheme}://{host}/{rest}")))
    assert isinstance(posting.result, Failed)  # type: ignore[attr-defined]  # set as soon as there is an answer


# Receivers that are slow, or too much


@pytest.mark.timed
@pytest.mark.parametrize(
    "script",
    [
        Script(read=False),
        Script(reply=b""),
        Script(reply=b"HTTP/1.1 200 OK\r\n"),
        Script(reply=b"HTTP/1.1 200 OK\r\n", trickle=b"X: y\r\n"),
        Script(reply=b"", trickle=b"HTTP/1.1 100 Continue\r\n\r\n"),
        Script(reply=b"H", trickle=b"T"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_receiver_that_hangs_or_trickles_fails_in_time_and_is_let_go(start: Start, script: Script) -> None:
    receiver = await start(script)
    began = reactor.seconds()  # type: ignore[attr-defined]
    answered = await post(receiver, timeout_s=SOON_S)
    assert answered == Failed(reason=f"the receiver did not answer within {SOON_S:g} s")
    assert SOON_S <= elapsed(began) < SOON_S + 1.0
    if script.read:
        await all_lost(receiver, within_s=LINGER_S + 1.0)


@pytest.mark.timed
@pytest.mark.parametrize("head", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked", b"X: until it closes"])
@pytest_twisted.ensureDeferred
async def test_a_body_that_never_ends_is_left_in_time_and_the_status_counts(start: Start, head: bytes) -> None:
    receiver = await start(Script(reply=b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n", trickle=b"1\r\na\r\n"))
    began = reactor.seconds()  # type: ignore[attr-defined]
    assert await post(receiver, timeout_s=SOON_S) == Delivered()
    assert elapsed(began) < SOON_S + 1.0
    await all_lost(receiver, within_s=LINGER_S + 1.0)


@pytest.mark.timed
@pytest_twisted.ensureDeferred
async def test_a_huge_body_is_cut_off_and_the_status_counts(start: Start) -> None:
    head = b"HTTP/1.1 500 X\r\nContent-Length: 99999999\r\n\r\n"
    receiver = await start(Script(reply=head, trickle=b"x" * MAX_ANSWER, trickle_s=0.001))
    began = reactor.seconds()  # type: ignore[attr-defined]
    assert await post(receiver) == Failed(reason="the receiver answered 500")
    assert elapsed(began) < 5.0
    await all_lost(receiver, within_s=1.0)


@pytest_twisted.ensureDeferred
async def test_headers_without_end_are_cut_off(start: Start) -> None:
    receiver = await start(Script(reply=b"HTTP/1.1 200 OK\r\n", trickle=b"X: yyyyyyyy\r\n" * 1000, trickle_s=0.001))
    answered = await post(receiver)
    assert answered == Failed(reason="the connection to the receiver broke before its answer was in")
    await all_lost(receiver, within_s=1.0)


@pytest_twisted.ensureDeferred
async def test_a_body_is_not_unpacked(start: Start) -> None:
    packed = gzip.compress(bytes(50_000_000))  # 50 KB
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    receiver = await start(head.encode() + packed)
    tracemalloc.start()
    assert await post(receiver) == Delivered()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest_twisted.ensureDeferred
async def test_a_dead_name_server_fails_in_time() -> None:
    answered = await callbacks(SilentNames(), timeout_s=SOON_S).post(callback("http://a.example/"))
    assert answered == Failed(reason=f"the receiver did not answer within {SOON_S:g} s")


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_keeps_the_connection_open_is_left(start: Start) -> None:
    receiver = await start()
    assert await post(receiver) == Delivered()
    await all_lost(receiver, within_s=LINGER_S + 1.0)


@pytest_twisted.ensureDeferred
async def test_a_post_that_is_cancelled_while_nothing_is_known_stays_cancelled() -> None:
    posting = ensureDeferred(callbacks(SilentNames()).post(callback("http://a.example/")))
    posting.cancel()
    with pytest.raises(CancelledError):
        await posting


@pytest_twisted.ensureDeferred
async def test_a_post_that_is_cancelled_once_the_status_is_in_has_its_answer_and_lets_go(start: Start) -> None:
    receiver = await start(Script(reply=b"HTTP/1.1 200 OK\r\n\r\n", trickle=b"x"))
    posting = ensureDeferred(post(receiver))
    while len(receiver.connections) < 1 or receiver.connections[0].trickled < 5:  # then the status is in
        await deferLater(reactor, 0.01)
    posting.cancel()
    assert await posting == Delivered()
    await all_lost(receiver, within_s=LINGER_S + 1.0)


@pytest_twisted.ensureDeferred
async def test_a_post_leaves_no_timer_behind(start: Start) -> None:
    before = set(reactor.getDelayedCalls())  # type: ignore[attr-defined]
    receiver = await start(Script(close=True))
    assert await post(receiver, timeout_s=1000.0) == Delivered()
    await all_lost(receiver, within_s=1.0)
    left = set(reactor.getDelayedCalls()) - before  # type: ignore[attr-defined]
    assert not [timer for timer in left if timer.getTime() - reactor.seconds() > 100.0]  # type: ignore[attr-defined]


# Where callbacks may go


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["10.0.0.1"]],
)
@pytest_twisted.ensureDeferred
async def test_a_name_with_any_inward_address_is_refused_and_not_connected_to(
    start: Start, addresses: list[str]
) -> None:
    receiver = await start()
    poster = callbacks(Names(addresses), allow_private=False)
    answered = await poster.post(callback(receiver.url("receiver.example")))
    assert answered == Failed(reason="The receiver's name leads to a private, loopback or link-local address")
    assert receiver.connections == []


@pytest_twisted.ensureDeferred
async def test_a_name_is_looked_up_once_so_that_its_second_answer_is_never_connected_to(start: Start) -> None:
    receiver = await start()
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    assert await callbacks(names).post(callback(receiver.url("receiver.example"))) == Delivered()
    assert names.asked == ["receiver.example"]


@pytest_twisted.ensureDeferred
async def test_a_name_that_turned_inward_is_refused_at_the_next_try(start: Start) -> None:
    receiver = await start()
    poster = callbacks(Names(["127.0.0.1"]), allow_private=False)
    for _ in range(2):
        assert isinstance(await poster.post(callback(receiver.url("receiver.example"))), Failed)
    assert receiver.connections == []


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
@pytest_twisted.ensureDeferred
async def test_no_way_to_write_this_machine_gets_through(start: Start, names: SystemNames, host: str) -> None:
    receiver = await start()
    answered = await callbacks(names, allow_private=False).post(callback(receiver.url(host)))
    assert isinstance(answered, Failed)
    assert receiver.connections == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "0177.0.0.1", "::1", "::ffff:127.0.0.1", "0"])
@pytest_twisted.ensureDeferred
async def test_what_the_system_makes_of_a_host_is_checked_too(start: Start, names: SystemNames, host: str) -> None:
    receiver = await start()
    endpoint = GuardedEndpoint(
        reactor=reactor, names=names, host=host, port=receiver.port, allow_private=False, timeout_s=5.0
    )
    with pytest.raises(AddressRefused):
        await endpoint.connect(Factory())
    assert receiver.connections == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST"])
@pytest_twisted.ensureDeferred
async def test_this_machine_is_a_receiver_if_that_is_allowed(start: Start, names: SystemNames, host: str) -> None:
    receiver = await start()
    assert await callbacks(names).post(callback(receiver.url(host))) == Delivered()


@pytest.mark.parametrize("url", ["HTTP://Receiver.EXAMPLE:{}/hook", "http://a_b.r3---x.example:{}/hook"])
@pytest_twisted.ensureDeferred
async def test_a_name_may_be_written_in_capitals_and_with_underscores(start: Start, url: str) -> None:
    receiver = await start()
    assert await callbacks().post(callback(url.format(receiver.port))) == Delivered()


@pytest_twisted.ensureDeferred
async def test_a_receiver_on_ipv6_is_posted_to(names: SystemNames) -> None:
    receiver = Receiver(Script())
    factory = Factory()
    factory.buildProtocol = lambda address: Connection(receiver)  # type: ignore[method-assign]
    listening = await TCP6ServerEndpoint(reactor, 0, interface="::1").listen(factory)
    url = f"http://[::1]:{listening.getHost().port}/"
    assert await callbacks(names).post(callback(url)) == Delivered()
    assert receiver.connections[0].head()["host"].startswith("[::1]:")
    await listening.stopListening()


@pytest_twisted.ensureDeferred
async def test_the_next_address_is_tried_when_one_does_not_answer(start: Start) -> None:
    receiver = await start()
    poster = callbacks(Names(["127.0.0.2", "127.0.0.1"]))  # it listens on the second only
    assert await poster.post(callback(receiver.url("receiver.example"))) == Delivered()


@pytest_twisted.ensureDeferred
async def test_a_name_without_an_address_is_a_failure(names: SystemNames) -> None:
    verifyObject(INames, names)
    for host in ("no-such-name.invalid", "a" * 70, "a\0b", "ü" * 70):
        with pytest.raises(Unresolved):
            await names.addresses(host)
    answered = await callbacks(names).post(callback("https://no-such-name.invalid/"))
    assert answered == Failed(reason="The receiver's name leads to no address")


@pytest_twisted.ensureDeferred
async def test_an_inward_address_in_the_url_is_refused_before_anything_is_looked_up() -> None:
    names = Names(["8.8.8.8"])
    answered = await callbacks(names, allow_private=False).post(callback("http://169.254.169.254/latest"))
    assert isinstance(answered, Failed)
    assert names.asked == []


def test_a_look_up_that_nobody_waits_for_any_more_is_not_made() -> None:
    assert _look_up("localhost", []) != []
    assert _look_up("localhost", [True]) == []


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://a@b.example/", "http://", "nonsense", "http://[::1"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_url_to_post_to_is_a_failure_too(url: str) -> None:
    names = Names(["127.0.0.1"])
    assert isinstance(await callbacks(names).post(callback(url)), Failed)
    assert names.asked == []


# TLS


@pytest_twisted.ensureDeferred
async def test_a_receiver_with_a_certificate_for_its_name_is_posted_to_by_address(start: Start) -> None:
    mine, authority = certificate("receiver.example")
    receiver = await start(certificate=mine)
    poster = callbacks(tls=BrowserLikePolicyForHTTPS(authority))
    assert await poster.post(callback(receiver.url("receiver.example", "https"))) == Delivered()
    await all_lost(receiver, within_s=LINGER_S + 1.0)


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_a_certificate_for_another_name_is_not_taken(start: Start, name: str) -> None:
    mine, authority = certificate("receiver.example")
    receiver = await start(certificate=mine)
    poster = callbacks(tls=BrowserLikePolicyForHTTPS(authority))
    answered = await poster.post(callback(receiver.url(name, "https")))
    assert answered == Failed(reason="the connection to the receiver broke before its answer was in")
    assert all(connection.received == b"" for connection in receiver.connections)


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_nobody_vouches_for_is_not_taken(start: Start) -> None:
    receiver = await start(certificate=certificate("receiver.example")[0])
    assert isinstance(await callbacks().post(callback(receiver.url("receiver.example", "https"))), Failed)
    assert all(connection.received == b"" for connection in receiver.connections)


@pytest_twisted.ensureDeferred
async def test_a_name_that_no_certificate_can_have_is_a_failure() -> None:
    answered = await callbacks().post(callback("https://a_b.example/"))
    assert answered == Failed(reason="The receiver's name is not one that a certificate can have")


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_never_begins_tls_fails_in_time(start: Start) -> None:
    receiver = await start(Script(read=False))
    answered = await callbacks(timeout_s=SOON_S).post(callback(receiver.url("receiver.example", "https")))
    assert answered == Failed(reason=f"the receiver did not answer within {SOON_S:g} s")


# Together


@pytest_twisted.ensureDeferred
async def test_one_receiver_that_hangs_does_not_hold_up_the_others(start: Start) -> None:
    hanging, quick = await start(b""), await start()
    lanes, poster = Lanes(total=4, per_host=2), callbacks(timeout_s=1.0)

    async def send(receiver: Receiver, host: str) -> Answered:
        url = receiver.url(host)
        return await lanes.run(host_of(url), lambda: poster.post(callback(url)))

    stuck = [ensureDeferred(send(hanging, "hanging.example")) for _ in range(6)]
    answers = await gatherResults([ensureDeferred(send(quick, "quick.example")) for _ in range(20)])
    assert answers == [Delivered()] * 20
    assert not any(each.called for each in stuck)
    assert len(hanging.connections) == 2
    assert all(isinstance(answered, Failed) for answered in await gatherResults(stuck))
    assert len(hanging.connections) == 6
