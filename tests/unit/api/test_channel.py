"""The short way answers as twisted.web does, however a request comes in, and in the order of the requests."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from smsd.api.exchange import Exchange, Heads, Reply
from smsd.api.problems import Answer
from smsd.api.site import quick_site

LINE = b"POST /sms HTTP/1.1"


def request(body: bytes = b'{"n": 1}', *headers: bytes, line: bytes = LINE) -> bytes:
    lines = [line, b"Host: localhost", b"X-API-Key: k", *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


class Slow(Resource):
    """What twisted.web answers."""

    isLeaf = True  # noqa: N815  # as twisted.web spells it

    def render(self, request: Any) -> bytes:
        request.setHeader("content-type", "application/json")
        request.setHeader("x-way", "slow")
        body: bytes = answer(request.content.read()).encoded()
        return body


def answer(body: bytes) -> Answer:
    return Answer(code=200, body={"octets": len(body), "first": body[:8].decode("latin-1")}, headers={"X-Way": "short"})


class Conversation:
    """A connection to a site, without a network."""

    def __init__(self) -> None:
        self.asked: list[tuple[Mapping[bytes, bytes], Reply, bytes]] = []
        self.at_once = True
        self.clock = Clock()
        site = quick_site(Slow(), self.clock, LINE, self._shortcut)  # type: ignore[arg-type]
        self.transport = StringTransport()
        self.channel: Any = site.buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def _shortcut(self, headers: Mapping[bytes, bytes], body: bytes, peer: Any, reply: Reply) -> None:
        if self.at_once:
            reply(answer(body))
        else:
            self.asked.append((headers, reply, body))

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.channel.dataReceived(piece)

    def answers(self) -> list[tuple[bytes, bytes]]:
        """The way and the body of each answer."""
        found = []
        rest = self.transport.value()
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if b"content-length" not in fields:
                return [*found, (head.split(b"\r\n")[0], rest)]
            length = int(fields[b"content-length"])
            found.append((fields.get(b"x-way", b""), rest[:length]))
            rest = rest[length:]
        return found


def test_a_simple_request_takes_the_short_way() -> None:
    talk = Conversation()
    talk.send(request(b"hello"), request(b"again!"))
    bodies = [answer(b"hello").encoded(), answer(b"again!").encoded()]
    assert talk.answers() == [(b"short", bodies[0]), (b"short", bodies[1])]


def test_headers_and_body_come_over_as_they_are() -> None:
    talk = Conversation()
    talk.at_once = False
    talk.send(request(b"\x00\r\n\r\nx", b"Idempotency-Key:   a b \t"))
    headers, _, body = talk.asked[0]
    assert headers[b"idempotency-key"] == b"a b"
    assert headers[b"x-api-key"] == b"k"
    assert body == b"\x00\r\n\r\nx"


@pytest.mark.parametrize(
    "unusual",
    [
        request(b"", line=b"POST /sms HTTP/1.0"),
        request(b"hi", b"Connection: close"),
        request(b"hi", b"Expect: nothing"),
        request(b"hi", b"X-API-Key: twice"),
        request(b"hi", b"Accept: text/html, Application/Problem+JSON"),
        request(b"hi", line=b"POST /sms?x=1 HTTP/1.1"),
        b"POST /sms HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"POST /sms HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\nContent-Length: 2\r\n\r\nhi",
        b"POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 02\r\n\r\nhi",
    ],
    ids=range(9),
)
def test_what_is_unusual_is_left_to_twisted_web(unusual: bytes) -> None:
    talk = Conversation()
    talk.send(unusual)
    assert b"x-way: slow" in talk.transport.value().lower()


@pytest.mark.parametrize(
    "bad",
    [
        b"POST /sms HTTP/1.1\r\nHost: a\r\nno colon\r\nContent-Length: 2\r\n\r\nhi",
        b"POST /sms HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nhi",
        b"POST /sms HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 2\r\n\r\nhi",
        b"POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
    ],
    ids=range(5),
)
def test_what_is_malformed_never_reaches_the_shortcut(bad: bytes) -> None:
    talk = Conversation()
    talk.at_once = False
    talk.send(bad)
    assert talk.asked == []


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=6))
def test_however_it_is_cut_each_request_is_answered_once_and_in_order(bodies: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(request(body) for body in bodies)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    talk = Conversation()
    talk.send(*[whole[start:end] for start, end in pairwise(edges)])
    assert [body for _, body in talk.answers()] == [answer(body).encoded() for body in bodies]


def test_what_comes_while_one_is_answered_waits_for_its_turn() -> None:
    talk = Conversation()
    talk.at_once = False
    talk.send(request(b"one"), request(b"two") + request(b"three")[:20], request(b"three")[20:])
    assert [body for *_, body in talk.asked] == [b"one"]
    assert talk.answers() == []
    talk.asked[0][1](answer(b"one"))
    # The two that came together are not simple any more.
    assert [body for _, body in talk.answers()] == [answer(body).encoded() for body in (b"one", b"two", b"three")]


def test_a_client_that_floods_us_while_one_is_answered_is_held_back() -> None:
    talk = Conversation()
    talk.at_once = False
    talk.send(request(b"one"), request(b"x" * 70_000))
    assert talk.transport.producerState == "paused"
    talk.asked[0][1](answer(b"one"))
    assert talk.transport.producerState == "producing"
    assert len(talk.answers()) == 2


def test_a_client_that_leaves_gets_no_answer_and_does_no_harm() -> None:
    from twisted.internet.error import ConnectionDone
    from twisted.python.failure import Failure

    talk = Conversation()
    talk.at_once = False
    talk.send(request(b"one"))
    talk.channel.connectionLost(Failure(ConnectionDone()))
    talk.asked[0][1](answer(b"one"))


def test_an_idle_connection_is_closed_in_the_end() -> None:
    talk = Conversation()
    talk.send(request(b"one"))
    talk.clock.advance(59)
    assert not talk.transport.disconnecting
    talk.clock.advance(2)
    assert talk.transport.disconnecting


def test_a_request_in_two_pieces_takes_the_short_way() -> None:
    talk = Conversation()
    whole = request(b"hello")
    talk.send(whole[:-5], whole[-5:], whole[:40], whole[40:])
    assert talk.answers() == [(b"short", answer(b"hello").encoded())] * 2


def test_a_length_of_more_digits_than_python_reads_is_left_to_others() -> None:
    left: list[bytes] = []
    exchange = Exchange(
        request_line=LINE,
        shortcut=lambda headers, body, peer, reply: reply(answer(body)),
        heads=Heads(Clock().seconds),
        leave=left.append,
    )
    head = LINE + b"\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    exchange.received(head)
    assert left == [head]
