"""A shelf in memory, whose way can be cut and whose snapshots can spoil."""

from collections.abc import Iterable, Iterator, Sequence
from threading import Event

import attrs

from smsd.spool.stream.log import LogTrouble
from smsd.spool.stream.shelf import Snapshot


@attrs.define
class MemoryShelf:
    is_cut: bool = False
    refused: int = 0  #: calls since it is cut
    fails: int = 0  #: times that parts are asked for in vain yet
    spoils: bool = False  #: whether a part of what is put there is lost
    is_begun: Event = attrs.field(factory=Event)
    is_free: Event = attrs.field(factory=Event)  #: to take parts
    all: list[Snapshot] = attrs.field(factory=list)
    kept: dict[str, list[bytes]] = attrs.field(factory=dict)
    read: list[Snapshot] = attrs.field(factory=list)  #: whose parts were asked for

    largest = 1000

    def prepare(self) -> None:
        self._check()

    def put(self, name: str, parts: Iterable[bytes]) -> str:
        self._check()
        self.is_begun.set()
        assert self.is_free.wait(60)
        self.kept[name] = list(parts)[int(self.spoils) :]
        return name

    def enlist(self, snapshot: Snapshot) -> None:
        self.all.append(snapshot)

    def listed(self) -> Sequence[Snapshot]:
        self._check()
        return list(self.all)

    def parts(self, snapshot: Snapshot) -> Iterator[bytes]:
        self.read.append(snapshot)
        if self.fails:
            self.fails -= 1
            raise LogTrouble(reason="it is gone again")
        yield from self.kept.get(snapshot.where, [])

    def keep_only(self, snapshots: Sequence[Snapshot]) -> None:
        if snapshots[0] in self.all:
            self.all = self.all[self.all.index(snapshots[0]) :]
        self.kept = {each.where: self.kept[each.where] for each in self.all}

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.is_cut:
            self.refused += 1
            raise LogTrouble(reason="the shelf is gone")
