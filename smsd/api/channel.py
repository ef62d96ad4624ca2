"""Answers the one request that has to be fast before twisted.web has taken it apart.

Most of the time that twisted.web spends on a small POST goes into objects that nobody asks for. A request for the
shortcut that lies here whole, in the simplest form that HTTP/1.1 allows, is read, answered by the same function that
its Klein route calls, and written out. Whatever is unusual about a request (in pieces, chunked, pipelined, an odd
header, another version) leaves it to twisted.web from its first octet on.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel, Request, datetimeToString

from smsd.api.problems import Answer

#: Answers a request, given its headers (names in lower case) and its body; never raises.
Shortcut = Callable[[Mapping[bytes, bytes], bytes], "Deferred[Answer]"]

#: Octets of a request that is read here; a longer one comes in several pieces anyway.
WHOLE: Final = 65_536
#: Headers that ask for something that is not done here.
_UNUSUAL: Final = frozenset({b"transfer-encoding", b"expect", b"connection", b"upgrade", b"cookie"})
#: What a header's name may have beside letters and digits here (RFC 9110 5.6.2 allows more).
_HYPHENS: Final = bytes.maketrans(b"-_", b"aa")


class ShortcutChannel(HTTPChannel):
    """A connection that takes requests with one request line the short way."""

    transport: Any
    _log = Logger()
    #: Whether twisted.web is between two requests, and has read nothing of the next one.
    _is_between = True
    #: Whether all that was written so far went straight to the socket.
    _is_direct = False
    #: What came in while a request was being answered; None while none is.
    _later: bytes | None = None

    def __init__(self, request_line: bytes, shortcut: Shortcut) -> None:
        """``shortcut`` answers requests that begin with ``request_line``, such as ``POST /sms HTTP/1.1``."""
        super().__init__()
        self._request_line = request_line
        self._shortcut = shortcut

    def connectionMade(self) -> None:
        """Begin; over TLS the socket is not ours to write to."""
        super().connectionMade()
        self._is_direct = isinstance(self.transport, Connection)

    def dataReceived(self, data: bytes) -> None:
        """Take the short way if that can be done, and leave it to twisted.web otherwise."""
        if self._later is not None:
            self._later += data
            if len(self._later) > WHOLE:
                self.transport.pauseProducing()
            return
        read = _read(data, self._request_line) if self._is_between and self.persistent else None
        if read is None:
            self._is_between = self._is_direct = False
            super().dataReceived(data)
            return
        self.resetTimeout()
        self._later = b""
        _ = self._shortcut(*read).addCallbacks(self._answered, self._broke)

    def requestDone(self, request: Request) -> None:
        """Note whether the next request may take the short way again."""
        self._is_between = not self._dataBuffer
        super().requestDone(request)

    def _answered(self, answer: Answer) -> None:
        body = answer.encoded()
        lines = [
            b"HTTP/1.1 %d %s" % (answer.code, RESPONSES.get(answer.code, b"")),
            b"Server: smsd",
            b"Date: " + datetimeToString(),
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(body),
            *(f"{name}: {value}".encode("latin-1") for name, value in answer.headers.items()),
            b"",
            body,
        ]
        self._write(b"\r\n".join(lines))
        self._go_on()

    def _write(self, data: bytes) -> None:
        # Straight to the socket while nothing waits before it: Twisted's own way leads through another turn of the
        # reactor, a sixth of an accept.
        if self._is_direct:
            sent = self.transport.writeSomeData(data)
            if sent == len(data):
                return
            self._is_direct = False
            data = data[sent:] if isinstance(sent, int) and sent > 0 else data
        self.transport.write(data)

    def _broke(self, failure: Failure) -> None:
        self._log.failure("a request broke", failure)
        self.loseConnection()

    def _go_on(self) -> None:
        later, self._later = self._later, None
        if later:
            if len(later) > WHOLE and not self._waitingForTransport:
                self.transport.resumeProducing()
            self.dataReceived(later)


def _read(data: bytes, request_line: bytes) -> tuple[dict[bytes, bytes], bytes] | None:
    """The headers and the body of a request that lies in ``data``, whole, alone and simple; None for any other."""
    if not data.startswith(request_line) or len(data) > WHOLE:
        return None
    head, end, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    if not end or first != request_line:
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name.translate(_HYPHENS).isalnum() or name in headers or name in _UNUSUAL:
            return None
        headers[name] = value.strip(b" \t")
    if b"host" not in headers or headers.get(b"content-length") != b"%d" % len(body):
        return None
    # As many as there are line ends: none may hide within a line.
    if head.count(b"\r") != len(lines) or head.count(b"\n") != len(lines) or b"\x00" in head:
        return None
    return headers, body
