"""Carries calls between the daemon and an accept process, as many in a piece as there are."""

import marshal
import struct
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

#: A piece begins with how many octets follow.
_LENGTH: Final = struct.Struct("!I")

#: A word, and what belongs to it: only what ``marshal`` writes, since both ends are the same program.
Call = tuple[Any, ...]


class Link:
    """One end of two pipes."""

    def __init__(
        self, *, clock: IReactorTime, write: Callable[[bytes], Any], take: Callable[[list[Call]], None]
    ) -> None:
        """``write`` writes octets to the other end; ``take`` gets the calls that came from there."""
        self._clock = clock
        self._write = write
        self._take = take
        self._out: list[Call] = []
        self._received = b""

    def send(self, call: Call) -> None:
        """Send ``call``, with all others of this turn of the reactor."""
        if not self._out:
            self._clock.callLater(0, self.flush)
        self._out.append(call)

    def flush(self) -> None:
        """Send what waits at once."""
        out, self._out = self._out, []
        if out:
            piece = marshal.dumps(out)
            self._write(_LENGTH.pack(len(piece)) + piece)

    def received(self, data: bytes) -> None:
        """Take octets from the other end."""
        data = self._received + data
        calls: list[Call] = []
        at = 0
        while len(data) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if len(data) - at - _LENGTH.size < length:
                break
            at += _LENGTH.size
            calls += marshal.loads(data[at : at + length])
            at += length
        self._received = data[at:]
        if calls:
            self._take(calls)
