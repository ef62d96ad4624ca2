"""Keeps snapshots in a topic of their own: what there is in its first partition, their parts in its second."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from smsd.spool.kafka.keyed import KeyedTopic
from smsd.spool.stream import shelf
from smsd.spool.stream.shelf import Snapshot

LIST: Final = 0
PARTS: Final = 1


class KafkaShelf:
    """A topic; it is made when the first snapshot is taken."""

    largest = KeyedTopic.largest

    def __init__(self, topic: KeyedTopic) -> None:
        """``topic`` has two partitions."""
        self._topic = topic

    def prepare(self) -> None:
        """See Shelf."""
        self._topic.prepare()

    def put(self, name: str, parts: Iterable[bytes]) -> str:
        """See Shelf."""
        return str(self._topic.add(name, parts, PARTS))

    def enlist(self, snapshot: Snapshot) -> None:
        """See Shelf."""
        _ = self._topic.add(snapshot.name, [snapshot.text.encode()], LIST)

    def listed(self) -> Sequence[Snapshot]:
        """See Shelf."""
        return [snapshot for _, snapshot in self._list()] if self._topic.is_there() else []

    def parts(self, snapshot: Snapshot) -> Iterator[bytes]:
        """See Shelf."""
        name, left = snapshot.name.encode(), snapshot.contents.parts
        for each in self._topic.read(int(snapshot.where), PARTS):
            if each.key() == name:  # another node may have put one at the same time
                yield each.value() or b""
                left -= 1
            if not left:
                return

    def keep_only(self, snapshots: Sequence[Snapshot]) -> None:
        """See Shelf."""
        first = next((offset for offset, snapshot in self._list() if snapshot == snapshots[0]), None)
        if first is not None:  # else another node has let go of it meanwhile, and of what was before
            self._topic.cut({LIST: first, PARTS: min(int(each.where) for each in snapshots)})

    def end(self) -> None:
        """See Shelf. The client for Kafka gives up by itself, after some seconds."""

    def close(self) -> None:
        """See Shelf."""

    def _list(self) -> list[tuple[int, Snapshot]]:
        """What is in the list, with its offsets."""
        every = self._topic.read(partition=LIST)
        return [(each.offset() or 0, snapshot) for each in every if (snapshot := shelf.snapshot(each.value() or b""))]
