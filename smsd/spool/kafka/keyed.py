"""A topic of records that have keys, for what is written now and then."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from smsd.core.errors import SpoolRefused
from smsd.spool.kafka import topics
from smsd.spool.kafka.log import READING, ends, following, trouble, writing
from smsd.spool.stream.log import LogTrouble

#: Records that are on their way at once.
AT_ONCE: Final = 8


class KeyedTopic:
    """One topic; for one thread at a time. Every method may block, and raises LogTrouble."""

    #: Octets that a record may have: less than the megabyte that brokers take unless they are told otherwise.
    largest = 900_000

    def __init__(
        self, brokers: str, topic: str, *, settings: Mapping[str, str], patience_s: float, partitions: int = 1
    ) -> None:
        """See KafkaLog, whose arguments these are; there are ``partitions``, by number."""
        self._topic = topic
        self._settings: dict[str, Any] = {"log_level": 2, **settings, "bootstrap.servers": brokers}
        self._patience_s = patience_s
        self._partitions = partitions
        self._producer: Producer | None = None

    def prepare(self) -> None:
        """Make it if it is not there, or say what to make: raises SpoolRefused."""
        topics.prepare(self._settings, self._topic, within_s=3 * self._patience_s, partitions=self._partitions)

    def is_there(self) -> bool:
        """Whether it was made."""
        try:
            return topics.is_there(self._settings, self._topic, within_s=self._patience_s)
        except SpoolRefused as refused:
            raise LogTrouble(reason=refused.reason) from None

    def add(self, key: str, values: Iterable[bytes], partition: int = 0) -> int:
        """Add ``values``, durably, each under ``key``; the answer is the offset of the first of them."""
        faults: list[KafkaError] = []
        offsets: list[int] = []

        def told(fault: KafkaError | None, message: Message) -> None:
            faults.extend([fault] if fault else [])
            offsets.append(message.offset() or 0)

        producer, self._producer = self._producer or Producer(self._settings | writing(self._patience_s)), None
        left = iter(values)
        while some := list(islice(left, AT_ONCE)):
            try:
                for value in some:
                    producer.produce(self._topic, value, key, partition, on_delivery=told)
                unsaid = producer.flush(self._patience_s + 1)
            except (KafkaException, BufferError) as error:
                raise trouble(error) from error
            if unsaid or faults:
                why = faults[0].str() if faults else "no broker acknowledges"
                raise LogTrouble(reason=f"Kafka does not take more into {self._topic}: {why}")
        self._producer = producer  # after a fault the next one is another
        return min(offsets)

    def read(self, start: int = 0, partition: int = 0) -> Iterator[Message]:
        """What there is at the moment, from the offset ``start`` on."""
        with closing(Consumer(self._settings | READING)) as consumer:
            low, high = ends(consumer, TopicPartition(self._topic, partition), self._patience_s)
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

    def cut(self, first: Mapping[int, int]) -> None:
        """Let go of what is before the offset ``first[partition]`` of each partition."""
        topics.cut(self._settings, self._topic, first, within_s=self._patience_s)
