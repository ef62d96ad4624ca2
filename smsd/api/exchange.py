"""Reads the simplest requests of one connection, and writes their answers in the same order."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from twisted.internet.tcp import Connection
from twisted.web.http import RESPONSES, datetimeToString

from smsd.api.problems import Answer

#: Takes the answer to a request.
Reply = Callable[[Answer], None]
#: Answers a request, given its headers (names in lower case), its body, and what says where it came from; never raises.
Shortcut = Callable[[Mapping[bytes, bytes], bytes, Callable[[], Any], Reply], None]

#: The daemon's name in every answer; whoever looks for a weak version shall not learn it from us.
SERVER: Final = b"smsd"
#: Octets of a request that is read here.
WHOLE: Final = 65_536
#: Octets of a head that is remembered: a client sends the same one again and again.
REMEMBERED: Final = 1024
#: Simple and good requests in a row after which a connection is one that posts again and again.
STEADY: Final = 3
#: Headers that ask for something that is not done here.
_UNUSUAL: Final = frozenset({b"transfer-encoding", b"expect", b"connection", b"upgrade", b"cookie", b"x-forwarded-for"})
#: What a header's name may have beside letters and digits here (RFC 9110 5.6.2 allows more).
_HYPHENS: Final = bytes.maketrans(b"-_", b"aa")


class Heads:
    """What the answers of one second begin with, each made once."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """``monotonic`` is in seconds."""
        self._monotonic = monotonic
        self._second = -1
        self._heads: dict[int, str] = {}

    def head(self, code: int) -> str:
        """The first lines of an answer with the status ``code``, up to the length of its body."""
        second = int(self._monotonic())
        if second != self._second:
            self._second, self._heads = second, {}
        if code not in self._heads:
            reason, date = RESPONSES.get(code, b"").decode(), cast(bytes, datetimeToString()).decode()
            self._heads[code] = (
                f"HTTP/1.1 {code} {reason}\r\nServer: {SERVER.decode()}\r\nDate: {date}\r\n"
                f"Content-Type: application/json\r\nContent-Length: "
            )
        return self._heads[code]


class Exchange:
    """The simple requests of a connection, one at a time; what is not simple goes elsewhere, whole."""

    def __init__(
        self,
        *,
        request_line: bytes,
        shortcut: Shortcut,
        heads: Heads,
        leave: Callable[[bytes], None],
        pass_on: Callable[[bytes], bool] = lambda data: False,
    ) -> None:
        """``shortcut`` answers requests that begin with ``request_line``, such as ``POST /sms HTTP/1.1``.

        ``leave`` gets the octets from the first one on of a request that is not simple. ``pass_on`` is offered the
        octets of a simple request after STEADY others that were good, while nothing waits to be written; it is True
        when somebody else answers it, and has the connection from then on.
        """
        self._request_line = request_line
        self._shortcut = shortcut
        self._heads = heads
        self._leave = leave
        self._pass_on = pass_on
        self._transport: Any = None
        #: What there is of a request that is not whole yet.
        self._begun = b""
        #: What came in while a request was being answered; None while none is.
        self._later: bytes | None = None
        #: Whether all that was written so far went straight to the socket.
        self.is_direct = False
        self._answers = 0
        #: The status of the last answer; 0 before the first.
        self.code = 0
        #: The API key of the last request that was answered here.
        self._key: bytes | None = None

    def open(self, transport: Any) -> None:
        """Begin; over TLS the socket is not ours to write to."""
        self._transport = transport
        self.is_direct = isinstance(transport, Connection)

    @property
    def is_answering(self) -> bool:
        """Whether a request has no answer yet."""
        return self._later is not None

    def rest(self) -> bytes:
        """The octets of a request that is not whole, which is left to whoever asks."""
        begun, self._begun = self._begun, b""
        return begun

    def received(self, data: bytes) -> None:
        """Take what came in: one request, less, or more."""
        if self._later is not None:
            self._later += data
            if len(self._later) > WHOLE:
                self._transport.pauseProducing()
            return
        if self._begun:
            data, self._begun = self._begun + data, b""
        read = _read(data, self._request_line)
        if read is None:
            self._answers = 0
            self._leave(data)
            return
        headers, body = read
        if body is None:
            self._begun = data
            return
        # With another key it may be a guess: those are counted here.
        key, self._key = self._key, headers.get(b"x-api-key")
        if self._answers >= STEADY and self.is_direct and key == self._key and self._pass_on(data):
            return
        self._later = b""
        self._shortcut(headers, body, self._transport.getPeer, self._answered)

    def _answered(self, answer: Answer) -> None:
        body = answer.text()
        self.code = answer.code
        self._answers = self._answers + 1 if answer.code < 400 else 0
        lines = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
        # JSON as we write it is ASCII, so that each of its characters is an octet.
        self._write(f"{self._heads.head(answer.code)}{len(body)}\r\n{lines}\r\n{body}".encode("latin-1"))
        later, self._later = self._later, None
        if later:
            if len(later) > WHOLE:
                self._transport.resumeProducing()
            self.received(later)

    def _write(self, data: bytes) -> None:
        # Straight to the socket while nothing waits before it: Twisted's own way leads through another turn of the
        # reactor, a sixth of an accept.
        if self.is_direct:
            if not self._transport.connected:  # its client has left
                return
            sent = self._transport.writeSomeData(data)
            if sent == len(data):
                return
            self.is_direct = False
            data = data[sent:] if isinstance(sent, int) and sent > 0 else data
        self._transport.write(data)


def _read(data: bytes, request_line: bytes) -> tuple[Mapping[bytes, bytes], bytes | None] | None:
    """The headers and the body of a request that lies in ``data``, alone and simple; None for any other.

    The body is None while a part of it, or of the head, is still to come.
    """
    if not data.startswith(request_line) or len(data) > WHOLE:
        return None
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return {}, None
    read = (_headers if len(head) <= REMEMBERED else _headers.__wrapped__)(head, request_line)
    if read is None:
        return None
    headers, length = read
    if len(body) > length or len(head) + length > WHOLE:
        return None
    return headers, body if len(body) == length else None


@lru_cache(maxsize=1024)
def _headers(head: bytes, request_line: bytes) -> tuple[Mapping[bytes, bytes], int] | None:
    """The headers in a simple ``head``, and the octets of the body that they announce; None for any other."""
    first, *lines = head.split(b"\r\n")
    # As many as there are line ends: none may hide within a line.
    if first != request_line or head.count(b"\r") != len(lines) or head.count(b"\n") != len(lines) or b"\x00" in head:
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name.translate(_HYPHENS).isalnum() or name in headers or name in _UNUSUAL:
            return None
        headers[name] = value.strip(b" \t")
    if b"problem+json" in headers.get(b"accept", b"").lower():
        return None  # errors are to be written in another form
    if b"ndjson" in headers.get(b"content-type", b"").lower():
        return None  # an upload, be it short
    length = headers.get(b"content-length", b"")
    if b"host" not in headers or len(length) > 5 or not length.isdigit() or length != b"%d" % int(length):
        return None
    return headers, int(length)
