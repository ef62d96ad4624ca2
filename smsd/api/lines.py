"""Cuts a stream of octets into batches of lines, the same ones however the octets come in."""

from collections.abc import Iterator
from typing import Final

import attrs

#: Lines in a batch, and octets from which on it is closed earlier.
LINES: Final = 1000
OCTETS: Final = 1024 * 1024
#: Octets of a line: a broadcast of some thousands has room.
LINE_LIMIT: Final = 65_536


class LineTooLong(Exception):
    """A line that is longer than is taken."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Line {number} is longer than {LINE_LIMIT} octets")


@attrs.frozen(kw_only=True)
class Batch:
    """Lines that are taken in one step."""

    first: int  #: the number of the first line; the very first of an upload is 1
    lines: tuple[bytes, ...]  #: without their ends

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + len(self.lines) - 1


class Lines:
    """What has come in so far and is no batch yet."""

    def __init__(self, first: int = 1) -> None:
        """The first line that comes in is the one with the number ``first``."""
        self._first = first
        self._lines: list[bytes] = []
        self._octets = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Batch]:
        """The batches that ``data`` completes. Raises LineTooLong."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._check(line)
            self._lines.append(line)
            self._octets += len(line)
            if len(self._lines) == LINES or self._octets >= OCTETS:
                yield self._batch()
        self._check(self._rest)

    def end(self) -> Iterator[Batch]:
        """What is left over, now that nothing more comes; the last line needs no end."""
        if self._rest:
            self._lines.append(self._rest)
        if self._lines:
            yield self._batch()

    def _check(self, line: bytes) -> None:
        if len(line) > LINE_LIMIT:
            raise LineTooLong(self._first + len(self._lines))

    def _batch(self) -> Batch:
        batch = Batch(first=self._first, lines=tuple(self._lines))
        self._first, self._lines, self._octets = batch.last + 1, [], 0
        return batch
