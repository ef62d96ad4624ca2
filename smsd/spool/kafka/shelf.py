"""Keeps snapshots in a topic of their own: what there is in its first partition, their parts in its second."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from smsd.core.errors import SpoolRefused
from smsd.spool.kafka import topics
from smsd.spool.kafka.log import READING, following, trouble, writing
from smsd.spool.stream import shelf
from smsd.spool.stream.log import LogTrouble
from smsd.spool.stream.shelf import Snapshot

LIST: Final = 0
PARTS: Final = 1
#: Parts that are on their way at once.
AT_ONCE: Final = 8


class KafkaShelf:
    """A topic; it is made when the first snapshot is taken."""

    #: Less than the megabyte that brokers take unless they are told otherwise.
    largest = 900_000

    def __init__(self, brokers: str, topic: str, *, settings: Mapping[str, str], patience_s: float) -> None:
        """See KafkaLog, whose arguments these are."""
        self._topic = topic
        self._settings: dict[str, Any] = {"log_level": 2, **settings, "bootstrap.servers": brokers}
        self._patience_s = patience_s
        self._offsets: dict[str, int] = {}  # in the list, by the name of a snapshot

    def prepare(self) -> None:
        """See Shelf."""
        topics.prepare(self._settings, self._topic, within_s=3 * self._patience_s, partitions=2)

    def put(self, name: str, parts: Iterable[bytes]) -> str:
        """See Shelf."""
        return str(self._write(PARTS, name, parts))

    def enlist(self, snapshot: Snapshot) -> None:
        """See Shelf."""
        _ = self._write(LIST, snapshot.name, [snapshot.text.encode()])

    def listed(self) -> Sequence[Snapshot]:
        """See Shelf."""
        try:
            if not topics.is_there(self._settings, self._topic, within_s=self._patience_s):
                return []
        except SpoolRefused as refused:
            raise LogTrouble(reason=refused.reason) from None
        found = {each.offset() or 0: shelf.snapshot(each.value() or b"") for each in self._read(LIST, 0)}
        self._offsets = {snapshot.name: offset for offset, snapshot in found.items()}
        return list(found.values())

    def parts(self, snapshot: Snapshot) -> Iterator[bytes]:
        """See Shelf."""
        name, left = snapshot.name.encode(), snapshot.contents.parts
        for each in self._read(PARTS, int(snapshot.where)):
            if each.key() == name:  # another node may have put one at the same time
                yield each.value() or b""
                left -= 1
            if not left:
                return

    def keep_only(self, snapshots: Sequence[Snapshot]) -> None:
        """See Shelf."""
        first = {
            LIST: min(self._offsets[each.name] for each in snapshots),
            PARTS: min(int(each.where) for each in snapshots),
        }
        topics.forget(self._settings, self._topic, first, within_s=self._patience_s)

    def close(self) -> None:
        """See Shelf."""

    def _write(self, partition: int, name: str, values: Iterable[bytes]) -> int:
        """Add ``values`` under the key ``name``; the answer is the offset of the first of them."""
        faults: list[KafkaError] = []
        offsets: list[int] = []

        def told(fault: KafkaError | None, message: Message) -> None:
            faults.extend([fault] if fault else [])
            offsets.append(message.offset() or 0)

        producer = Producer(self._settings | writing(self._patience_s))
        left = iter(values)
        while some := list(islice(left, AT_ONCE)):
            try:
                for value in some:
                    producer.produce(self._topic, value, name, partition, on_delivery=told)
                unsaid = producer.flush(self._patience_s + 1)
            except (KafkaException, BufferError) as error:
                raise trouble(error) from error
            if unsaid or faults:
                raise LogTrouble(reason=f"Kafka does not take a part of a snapshot into {self._topic}")
        return min(offsets)

    def _read(self, partition: int, start: int) -> Iterator[Message]:
        """What is in ``partition`` at the moment, from the offset ``start`` on."""
        with closing(Consumer(self._settings | READING)) as consumer:
            low, high = self._ends(consumer, partition)
            after = max(low, start)
            consumer.assign([TopicPartition(self._topic, partition, after)])
            while after < high:
                if (message := consumer.poll(self._patience_s)) is None:
                    raise LogTrouble(reason="Kafka: no broker answers")
                if (then := following(message)) is None:
                    continue
                after = then
                if message.error() is None:
                    yield message

    def _ends(self, consumer: Consumer, partition: int) -> tuple[int, int]:
        try:
            ends = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=self._patience_s)
        except KafkaException as error:
            raise trouble(error) from error
        if ends is None:
            raise LogTrouble(reason="Kafka: no broker answers")
        return ends
