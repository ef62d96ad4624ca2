"""A requests.Session that keeps a deadline and knows whether its request went out."""

import functools
import io
import math
import socket
import ssl
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import attrs
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from smsd.gateway.answers import Failure

Clock = Callable[[], float]

#: Everything that requests, and what it stands on, are documented to raise.
TROUBLE: Final = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)
_TIMEOUTS: Final = (requests.Timeout, Urllib3Timeout, TimeoutError)


@attrs.define(kw_only=True)
class Progress:
    """How far the exchange at hand has come; written by the connection, read by whoever asked."""

    clock: Clock  #: monotonic seconds
    by: float = math.inf  #: monotonic seconds; not a byte is to go out then or later
    went_out: bool = False  #: a byte of the request may have reached the provider


class TooLate(OSError):
    """The time in which the request might begin is over."""


class WatchedSession(requests.Session):
    """One thread's session: one connection, nothing from the environment, no redirect, no retry, no cookie.

    ``clock`` is monotonic, in seconds. A read timeout that is given to it bounds the whole answer, from the moment
    the request is out: of itself ``requests`` starts it anew with each byte, so that a provider that trickles would
    hold a thread for ever.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        # A ~/.netrc would replace the access key, and a proxy of the environment would read it.
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.used_at = clock()  #: monotonic seconds
        self.progress: Final = Progress(clock=clock)
        adapter = _Adapter(self.progress)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: even with ``allow_redirects=False`` requests would read the body and parse the address."""
        return None


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
        return HTTPResponse(_Readable(reader), **kwargs)  # type: ignore[arg-type]


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": functools.partial(self._pool, HTTPConnectionPool, _Watched),
            "https": functools.partial(self._pool, HTTPSConnectionPool, _WatchedTls),
        }

    def _pool(
        self, pool_class: type[HTTPConnectionPool], connection: type[_Watched], *args: Any, **kwargs: Any
    ) -> HTTPConnectionPool:
        pool = pool_class(*args, **kwargs)
        pool.ConnectionCls = functools.partial(connection, progress=self._progress)  # type: ignore[assignment]
        return pool


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
    """Whether ``trouble``, or what it was raised over, is of one of ``kinds``: requests wraps urllib3 wraps sockets."""
    while trouble is not None:
        if isinstance(trouble, kinds):
            return True
        trouble = trouble.__cause__ or trouble.__context__
    return False
