"""Posts as fast as a server answers, over a few kept connections, and notes how long each answer took."""

import itertools
import math
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs

#: Where a request goes: host and port.
Address = tuple[str, int]
_LENGTH: Final = b"content-length:"


@attrs.frozen(kw_only=True)
class Load:
    """What came of it."""

    answers: int  #: with the status that was wanted
    refused: int  #: with any other
    took_s: float  #: seconds, wall clock
    latencies_s: tuple[float, ...]  #: seconds from the first octet sent to the last received, sorted

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.took_s

    def quantile(self, part: float) -> float:
        """Seconds within which ``part`` (0 to 1) of the answers came."""
        return self.latencies_s[min(len(self.latencies_s) - 1, int(part * len(self.latencies_s)))]


def post_for(
    url: str,
    body: bytes | Sequence[bytes],
    *,
    connections: int,
    for_s: float = math.inf,
    most: float = math.inf,
    headers: str = "",
    wanted: int = 200,
) -> Load:
    """POST ``body`` to ``url`` (http://HOST:PORT/PATH) over ``connections`` for ``for_s`` seconds or ``most`` times.

    Of several bodies each has its turn. ``headers`` are whole lines, with their ends.
    """
    at = urlsplit(url)
    lines = f"POST {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n{headers}"
    bodies = [body] if isinstance(body, bytes) else body
    requests = [f"{lines}Content-Length: {len(each)}\r\n\r\n".encode() + each for each in bodies]
    return _drive(requests, _address(url), connections, for_s, most, wanted)


def get_for(url: str, *, connections: int, for_s: float, wanted: int = 200) -> Load:
    """GET ``url`` over ``connections`` for ``for_s`` seconds."""
    at = urlsplit(url)
    request = f"GET {at.path}?{at.query} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode()
    return _drive([request], _address(url), connections, for_s, math.inf, wanted)


def _address(url: str) -> Address:
    at = urlsplit(url)
    return at.hostname or "", at.port or 80


@attrs.define(eq=False)
class _Connection:
    socket: socket.socket
    began: float = 0.0
    received: bytearray = attrs.Factory(bytearray)


def _drive(
    requests: Sequence[bytes], address: Address, connections: int, for_s: float, most: float, wanted: int
) -> Load:
    turns = itertools.cycle(requests)
    selector = selectors.EpollSelector()
    for _ in range(connections):
        connected = socket.create_connection(address)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connected, selectors.EVENT_READ, _Connection(connected))
    status = b"HTTP/1.1 %d " % wanted
    latencies: list[float] = []
    refused = 0
    clock = time.perf_counter
    start = clock()
    end = start + for_s
    busy = sent = 0
    for key in list(selector.get_map().values()):
        _send(key.data, next(turns), clock())
        busy += 1
        sent += 1
    while busy:
        for key, _ in selector.select(5):
            connection: _Connection = key.data
            data = connection.socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed a connection")
            connection.received += data
            if not _is_whole(connection.received):
                continue
            now = clock()
            if connection.received.startswith(status):
                latencies.append(now - connection.began)
            else:
                refused += 1
            connection.received.clear()
            if now < end and sent < most:
                _send(connection, next(turns), now)
                sent += 1
            else:
                busy -= 1
    took = clock() - start
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    return Load(answers=len(latencies), refused=refused, took_s=took, latencies_s=tuple(sorted(latencies)))


def _send(connection: _Connection, request: bytes, now: float) -> None:
    connection.began = now
    connection.socket.sendall(request)


def _is_whole(received: bytearray) -> bool:
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return False
    at = received.lower().find(_LENGTH, 0, head)
    if at < 0:
        return received.endswith(b"0\r\n\r\n")
    length = int(received[at + len(_LENGTH) : received.index(b"\r\n", at)])
    return len(received) >= head + 4 + length
