"""A log in memory: what every node of a test writes to and reads from."""

from collections.abc import Sequence

import attrs

from smsd.core.errors import SpoolRefused
from smsd.spool.stream.log import LogCut, Logged, LogLost, LogTrouble


@attrs.define
class Shard:
    """The entries, and how the way to them is."""

    entries: list[bytes] = attrs.field(factory=list)
    first: int = 0  #: position of the first of them that is kept
    identity: str = "1"
    is_cut: bool = False
    is_twice: bool = False  #: each entry is kept twice, as by a broker that died before it could say so

    @property
    def kept(self) -> list[bytes]:
        """The entries that are there still."""
        return self.entries[self.first :]


class MemoryLog:
    """One node's way to a shard."""

    largest = 2000

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._next = 0

    def open(self) -> str:
        return self._shard.identity

    def start(self, after: str) -> None:
        self._next = int(after) + 1 if after else 0
        if self._next < self._shard.first:
            raise LogCut(reason=f"the log begins at {self._shard.first}")
        if self._next > len(self._shard.entries):
            raise SpoolRefused(reason=f"the log ends at {len(self._shard.entries)}")

    def publish(self, entries: Sequence[bytes]) -> None:
        if self._shard.is_cut:
            raise LogTrouble(reason="the network is cut")
        self._shard.entries += [each for entry in entries for each in [entry] * (1 + self._shard.is_twice)]

    def read(self, within_s: float) -> Sequence[Logged]:
        if self._shard.is_cut:
            raise LogTrouble(reason="the network is cut")
        if self._next < self._shard.first:
            raise LogLost(reason="what came next is gone")
        arrived = self._shard.entries[self._next :]
        first, self._next = self._next, len(self._shard.entries)
        return [Logged(position=str(first + number), data=data) for number, data in enumerate(arrived)]

    def end(self) -> float:
        if self._shard.is_cut:
            raise LogTrouble(reason="the network is cut")
        return len(self._shard.entries)

    def is_before(self, end: float) -> bool:
        return self._next < end

    def cut(self, positions: Sequence[str]) -> None:
        self._shard.first = min(int(each) for each in positions) + 1

    def close(self) -> None:
        pass
