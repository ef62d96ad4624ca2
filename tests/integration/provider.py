"""A provider on a loopback port that answers as scripted, faults and all, and notes when each request arrived.

It shares nothing with the product's sandbox, so that one mistake cannot hide in both.
"""

import itertools
import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

REASONS: Final = {200: "OK", 201: "Created", 302: "Found", 307: "Temporary Redirect", 429: "Too Many Requests"}


@attrs.frozen(kw_only=True)
class Arrival:
    """One request that came in whole."""

    at_monotonic: float  #: monotonic seconds at which its first octet was read
    method: str
    path: str  #: without the query
    query: Mapping[str, str]
    headers: Mapping[str, str]  #: names in lower case
    body: bytes
    connection: int  #: 1 for the provider's first connection, and so on

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@attrs.frozen(kw_only=True)
class Behaviour:
    """What the provider does with one request."""

    reply: bytes | None = None  #: octets to write; None: the truthful answer of a provider that works
    keep: bool = False  #: whether it takes a POSTed message even so; one that works always does
    end: str = ""  #: what it does then: "" keep the connection, "close" it, "reset" it
    unread: bool = False  #: reset the connection as soon as it is made, without reading
    pause_s: float = 0.0  #: seconds before the reply
    trickle_s: float = 0.0  #: seconds between two octets of the reply, 0: all at once
    idle_s: float | None = None  #: seconds after the reply until it closes the idle connection


def http(status: int, body: Any = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The octets of an answer; a body that is not octets becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", **(headers or {}), "Content-Length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}\r\n{head}\r\n".encode() + content


def errors(status: int, code: int, description: str, parameter: str | None = None, **headers: str) -> Behaviour:
    """An answer with one error; headers as ``retry_after="7"``."""
    error = {"code": code, "description": description, "parameter": parameter}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Behaviour(reply=http(status, {"errors": [error]}, named))


def answer(status: int, body: Any = b"", *, keep: bool = False, **headers: str) -> Behaviour:
    """Any whole answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Behaviour(reply=http(status, body, named), keep=keep)


WORKS: Final = Behaviour()
UNREAD: Final = Behaviour(unread=True)
SILENT: Final = Behaviour(reply=b"")
SILENT_BUT_TAKEN: Final = Behaviour(reply=b"", keep=True)
CLOSES: Final = Behaviour(reply=b"", end="close")
RESETS: Final = Behaviour(reply=b"", end="reset")
RESETS_BUT_TAKEN: Final = Behaviour(reply=b"", end="reset", keep=True)
CUT: Final = Behaviour(reply=http(201, {"id": "x" * 500})[:200], end="close")
CUT_CHUNK: Final = Behaviour(
    reply=b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"id": "x", "href"', end="close"
)
NO_HTTP: Final = Behaviour(reply=b"SSH-2.0-nothing\r\n\r\n", end="close")
TRICKLES_HEAD: Final = Behaviour(reply=http(201, {"id": "x"}), trickle_s=0.1)
TRICKLES_BODY: Final = Behaviour(
    reply=b"HTTP/1.1 201 Created\r\nContent-Length: 9000\r\n\r\n" + b" " * 9000, trickle_s=0.02
)
WRONG_KEY: Final = errors(401, 2, "Request not allowed (incorrect access_key)", "access_key")
NO_BALANCE: Final = errors(402, 25, "Not enough balance")
UNPROCESSABLE: Final = errors(422, 9, "no (correct) recipients found", "recipients")
TOO_MANY: Final = errors(429, 29, "the request has not been processed", Retry_After="7")
INTERNAL: Final = errors(500, 99, "Internal error")
HTML_ERROR: Final = answer(502, b"<html><h1>Bad Gateway</h1></html>", Content_Type="text/html")
NOT_JSON: Final = answer(201, b"<html>welcome</html>", Content_Type="text/html")
NO_ID: Final = answer(201, {"reference": "x", "body": "y"})
EMPTY: Final = answer(201, b"")
TWICE: Final = answer(201, b'{"id": "a"}{"id": "b"}')


class Provider:
    """MessageBird's ``/messages``, under any path; needs ``start`` and ``stop``."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.arrivals: list[Arrival] = []  #: every request that came in whole, in order
        self.stored: dict[str, dict[str, Any]] = {}  #: the messages it took, by its own id, oldest first
        self.connections = 0  #: how many were ever made
        self.open: set[_Conversation] = set()
        self._posts: deque[Behaviour] = deque()
        self._gets: deque[Behaviour] = deque()
        self._ids = (f"{number:032x}" for number in itertools.count(0xABCDEF))

    def script(self, behaviours: Iterable[Behaviour]) -> None:
        """What it does with the next POSTs; after these it works."""
        self._posts.extend(behaviours)

    def script_lists(self, behaviours: Iterable[Behaviour]) -> None:
        """What it does with the next GETs; after these it works."""
        self._gets.extend(behaviours)

    async def start(self, port: int = 0) -> None:
        """Listen on ``port``; 0: one of the system's choice."""
        self._port = await TCP4ServerEndpoint(self.reactor, port, interface="127.0.0.1").listen(
            Factory.forProtocol(lambda: _Conversation(self))
        )

    async def stop(self) -> None:
        """Close the port and what is open."""
        await self._port.stopListening()
        gone = [conversation.gone for conversation in self.open]
        for conversation in list(self.open):
            conversation.transport.abortConnection()
        for each in gone:
            await each

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._port.getHost().port}"

    def posts(self) -> list[Arrival]:
        """The POST requests that came in."""
        return [arrival for arrival in self.arrivals if arrival.method == "POST"]

    def gets(self) -> list[Arrival]:
        """The GET requests that came in."""
        return [arrival for arrival in self.arrivals if arrival.method == "GET"]

    def keep(self, fields: Mapping[str, Any], at: float | None = None) -> dict[str, Any]:
        """Take a message as it was POSTed, at ``at`` (UTC epoch seconds); as it then shows it."""
        created = datetime.fromtimestamp(self.reactor.seconds() if at is None else at, UTC)
        stamp = created.isoformat(timespec="seconds")
        numbers = fields["recipients"]
        numbers = numbers.split(",") if isinstance(numbers, str) else numbers
        items = [{"recipient": int(each), "status": "sent", "statusDatetime": stamp} for each in numbers]
        id = next(self._ids)
        shown = {"id": id, "href": f"https://rest.messagebird.com/messages/{id}", "direction": "mt", **fields}
        shown |= {"createdDatetime": stamp, "recipients": {"totalCount": len(items), "items": items}}
        self.stored[id] = shown
        return shown

    def next_is_unread(self) -> bool:
        """Whether the next POST is not even to be read; then it is used up."""
        if self._posts and self._posts[0].unread:
            self._posts.popleft()
            return True
        return False

    def handle(self, arrival: Arrival) -> Behaviour:
        """Note ``arrival``; what to do with it, with the octets of the reply filled in."""
        self.arrivals.append(arrival)
        script = self._gets if arrival.method == "GET" else self._posts
        behaviour = script.popleft() if script else WORKS
        if arrival.method == "GET":
            truth = self._shown(arrival)
        elif behaviour.reply is None or behaviour.keep:
            truth = http(201, self.keep(arrival.json()))
        else:
            truth = b""
        return attrs.evolve(behaviour, reply=truth) if behaviour.reply is None else behaviour

    def _shown(self, arrival: Arrival) -> bytes:
        id = arrival.path.rpartition("/")[2]
        if id == "messages":
            return http(200, self._list(arrival.query))
        missing = {"errors": [{"code": 20, "description": "message not found", "parameter": None}]}
        return http(200, self.stored[id]) if id in self.stored else http(404, missing)

    def _list(self, query: Mapping[str, str]) -> dict[str, Any]:
        since, until = (datetime.fromisoformat(query[name]) if name in query else None for name in ("from", "until"))
        found = [
            shown
            for shown in reversed(self.stored.values())
            if ("recipient" not in query or int(query["recipient"]) in _numbers(shown))
            and (since is None or datetime.fromisoformat(shown["createdDatetime"]) >= since)
            and (until is None or datetime.fromisoformat(shown["createdDatetime"]) <= until)
        ]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
        page = found[offset : offset + limit]
        return {"offset": offset, "limit": limit, "count": len(page), "totalCount": len(found), "items": page}


def _numbers(shown: Mapping[str, Any]) -> list[int]:
    return [item["recipient"] for item in shown["recipients"]["items"]]


class _Conversation(Protocol):
    """One connection."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._received = b""
        self._since = 0.0
        self._calls: list[IDelayedCall] = []
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._provider.connections += 1
        self._number = self._provider.connections
        self._provider.open.add(self)
        if self._provider.next_is_unread():
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._provider.open.discard(self)
        for call in self._calls:
            if call.active():
                call.cancel()
        self.gone.callback(None)

    def dataReceived(self, data: bytes) -> None:
        if not self._received:
            self._since = time.monotonic()
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if not separator or len(body) < length:
            return
        self._received = body[length:]
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        arrival = Arrival(
            at_monotonic=self._since,
            method=method,
            path=parts.path,
            query={name: values[0] for name, values in parse_qs(parts.query).items()},
            headers=headers,
            body=body[:length],
            connection=self._number,
        )
        self._act(self._provider.handle(arrival))

    def _act(self, behaviour: Behaviour) -> None:
        reply = behaviour.reply or b""
        if not behaviour.trickle_s:
            self._later(behaviour.pause_s, self._reply, reply, behaviour)
            return
        for number, octet in enumerate(reply):
            self._later(behaviour.trickle_s * number, self.transport.write, bytes([octet]))

    def _reply(self, reply: bytes, behaviour: Behaviour) -> None:
        self.transport.write(reply)
        if behaviour.end == "close":
            self.transport.loseConnection()
        elif behaviour.end == "reset":
            self.transport.abortConnection()
        elif behaviour.idle_s is not None:
            self._later(behaviour.idle_s, self.transport.loseConnection)

    def _later(self, delay_s: float, call: Any, *args: Any) -> None:
        if delay_s:
            self._calls.append(self._provider.reactor.callLater(delay_s, call, *args))
        else:
            call(*args)
