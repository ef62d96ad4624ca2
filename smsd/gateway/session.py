"""A connection to a provider that keeps a deadline and knows whether its request went out."""

import io
import math
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import cache, partial
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

import attrs
import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3Timeout
from urllib3.util import parse_url

from smsd.gateway.answers import Failure

Clock = Callable[[], float]

#: Everything that urllib3, and what it stands on, are documented to raise.
TROUBLE: Final = (HTTPError, HTTPException, OSError, ValueError)
_TIMEOUTS: Final = (Urllib3Timeout, TimeoutError)
#: A request goes out once, whatever comes of it.
_ONCE: Final = Retry(total=False, redirect=False)


@attrs.define(kw_only=True)
class Progress:
    """How far the exchange at hand has come; written by the connection, read by whoever asked."""

    clock: Clock  #: monotonic seconds
    by: float = math.inf  #: monotonic seconds; not a byte is to go out then or later
    went_out: bool = False  #: a byte of the request may have reached the provider


class TooLate(OSError):
    """The time in which the request might begin is over."""


class WatchedSession:
    """One thread's way to one provider: one connection, nothing from the environment, no redirect, no retry, no cookie.

    Not requests: its session took half of a send's time, most of it to put a request together and to look at what
    comes back in ways that are not wanted here. ``clock`` is monotonic, in seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._pool: HTTPConnectionPool | None = None
        self.used_at = clock()  #: monotonic seconds
        self.progress: Final = Progress(clock=clock)

    def request(
        self,
        method: str,
        address: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        connect_s: float,
        read_s: float,
    ) -> BaseHTTPResponse:
        """The answer of who is at ``address``, the same each time, to ``target``, a path and query. Raises TROUBLE.

        Its body is still to be read. ``read_s`` bounds all of it, from the moment the request is out: of itself urllib3
        starts it anew with each byte, so that a provider that trickles would hold a thread for ever.
        """
        if self._pool is None:
            self._pool = _pool(address, self.progress)
        response = self._pool.urlopen(
            method,
            target,
            body=body,
            headers=headers,
            timeout=Timeout(connect=connect_s, read=read_s),
            retries=_ONCE,
            redirect=False,
            preload_content=False,
        )
        if response.status < 200:  # 101: what follows is no HTTP any more
            response.close()
            raise HTTPException
        return response

    def close(self) -> None:
        """Close the connection."""
        if self._pool is not None:
            self._pool.close()


class _Reader(io.RawIOBase):
    """What comes from a socket, until the deadline."""

    def __init__(self, sock: socket.socket, clock: Clock, deadline: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._clock = clock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


@attrs.frozen
class _Readable:
    """As much of a socket as http.client's response wants to see."""

    reader: _Reader

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader)


class _FinalResponse(HTTPResponse):
    """An answer, and not what a provider, or who stands before it, says until it has one (RFC 9110 15.2).

    http.client takes 102 and 103 for the answer: then the next request would get this one's.
    """

    def begin(self) -> None:
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first line
            super().begin()


class _Watched(HTTPConnection):
    def __init__(self, *args: Any, progress: Progress, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress = progress

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        # Now, and not when it was asked for: the process may have stood still since.
        if self._progress.clock() >= self._progress.by:
            raise TooLate
        # Before, not after: a send that fails half way may have arrived.
        self._progress.went_out = True
        super().send(data)

    # http.client wants a class, and calls it: a method does as well.
    def response_class(self, sock: socket.socket, **kwargs: Any) -> HTTPResponse:  # type: ignore[override]
        clock = self._progress.clock
        # By now urllib3 has put the read timeout here, in place of the connect timeout.
        reader = _Reader(sock, clock, clock() + float(self.timeout or 0))
        return _FinalResponse(_Readable(reader), **kwargs)  # type: ignore[arg-type]


class _WatchedTls(_Watched, HTTPSConnection):
    pass


def _pool(address: str, progress: Progress) -> HTTPConnectionPool:
    url = parse_url(address)
    if not url.host or url.scheme not in ("http", "https"):
        raise LocationValueError("this leads nowhere")
    pool: HTTPConnectionPool
    if url.scheme == "https":
        pool = HTTPSConnectionPool(url.host, url.port, maxsize=1, ssl_context=_trusted())
        pool.ConnectionCls = partial(_WatchedTls, progress=progress)  # type: ignore[assignment]
    else:
        pool = HTTPConnectionPool(url.host, url.port, maxsize=1)
        pool.ConnectionCls = partial(_Watched, progress=progress)  # type: ignore[assignment]
    return pool


@cache
def _trusted() -> ssl.SSLContext:
    # One for all: to read the certificates takes longer than a request.
    return ssl.create_default_context(cafile=certifi.where())


def failure_of(trouble: Exception, progress: Progress) -> Failure:
    """Why there is no answer, from what was raised and how far the request had come."""
    if progress.went_out:
        return Failure.LATE if _holds(trouble, _TIMEOUTS) else Failure.CUT
    if _holds(trouble, TooLate):
        return Failure.TOO_LATE
    if _holds(trouble, NameResolutionError):
        return Failure.UNRESOLVED
    if _holds(trouble, (SSLError, ssl.SSLError)):
        return Failure.TLS_FAILED
    # urllib3 calls a refused connection, too, a kind of timeout.
    late = _holds(trouble, _TIMEOUTS) and not _holds(trouble, NewConnectionError)
    return Failure.CONNECT_LATE if late else Failure.UNREACHABLE


def _holds(trouble: BaseException | None, kinds: type[Exception] | tuple[type[Exception], ...]) -> bool:
    """Whether ``trouble``, or what it was raised over, is of one of ``kinds``: urllib3 wraps what sockets raise."""
    while trouble is not None:
        if isinstance(trouble, kinds):
            return True
        trouble = trouble.__cause__ or trouble.__context__
    return False
