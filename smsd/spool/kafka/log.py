"""Keeps the log in one topic of one partition."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from smsd.core.errors import SpoolRefused
from smsd.spool.kafka import topics
from smsd.spool.stream.log import LogCut, Logged, LogLost, LogTrouble

#: Entries read at once.
BATCH: Final = 1000
#: Seconds until a broker is asked again that does not know yet who leads.
AGAIN_S: Final = 0.2
#: What a consumer is told.
READING: Final = {
    "group.id": "smsd",  # required, though nothing is ever committed to it
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # what is missing must be noticed
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 50,  # whatever is asked of a broker meanwhile waits behind it
    "fetch.error.backoff.ms": 100,
}
#: What a broker says of the group, to a role that may not have one.
_OF_THE_GROUP: Final = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED})
_NOT_YET: Final = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)


class KafkaLog:
    """A topic, behind one producer and one consumer that belongs to no group."""

    #: Less than the megabyte that brokers take unless they are told otherwise.
    largest = 900_000

    def __init__(
        self,
        brokers: str,
        topic: str,
        *,
        settings: Mapping[str, str],
        patience_s: float,
        prepare: Callable[..., str] = topics.prepare,
    ) -> None:
        """``brokers`` is ``HOST:PORT,…``; ``settings`` are librdkafka's own, such as ``security.protocol``.

        What is not acknowledged within ``patience_s`` seconds has failed. ``prepare`` sees to the topic.
        """
        self._prepare = prepare
        self._topic = topic
        self._partition = TopicPartition(topic, 0)
        self._patience_s = patience_s
        self._settings: dict[str, Any] = {
            "log_level": 2,
            "socket.nagle.disable": True,
            "reconnect.backoff.max.ms": 1000,
            **settings,
            "bootstrap.servers": brokers,
        }
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._next = 0  # offset of the entry that is read next

    def open(self) -> str:
        """See Log."""
        identity = self._prepare(self._settings, self._topic, within_s=3 * self._patience_s)
        self._consumer = Consumer(self._settings | READING)
        return identity

    def start(self, after: str) -> None:
        """See Log."""
        low, high = self._ends()
        self._next = int(after) + 1 if after else 0
        if self._next < low:
            reason = f"the topic {self._topic} has let go of what was before {low}, and this ledger is at {self._next}"
            raise LogCut(reason=reason)
        if self._next > high:
            reason = (
                f"the topic {self._topic} ends at {high}, before this ledger's {self._next}: it has lost entries that"
                " it had acknowledged. What was in them is in the ledgers of the nodes: keep these files"
            )
            raise SpoolRefused(reason=reason)
        try:
            self._reader.assign([TopicPartition(self._topic, 0, self._next)])
        except KafkaException as error:
            raise trouble(error) from error

    def publish(self, entries: Sequence[bytes]) -> None:
        """See Log."""
        faults: list[KafkaError] = []
        producer = self._producer = self._producer or self._make_producer()
        try:
            for entry in entries:
                producer.produce(
                    self._topic,
                    entry,
                    partition=0,
                    on_delivery=lambda fault, _: faults.append(fault) if fault else None,
                )
            left = producer.flush(self._patience_s + 1)
        except (KafkaException, BufferError) as error:
            self._drop_producer()
            raise trouble(error) from error
        if left or faults:
            self._drop_producer()
            raise LogTrouble(reason=f"Kafka: {faults[0].str() if faults else 'no broker acknowledges'}")

    def read(self, within_s: float) -> Sequence[Logged]:
        """See Log."""
        try:
            first = self._reader.poll(within_s)
            arrived = [] if first is None else [first, *self._reader.consume(BATCH - 1, 0)]
        except KafkaException as error:
            raise trouble(error) from error
        return [logged for message in arrived if (logged := self._logged(message)) is not None]

    def end(self) -> float:
        """See Log."""
        return self._ends()[1]

    def is_before(self, end: float) -> bool:
        """See Log."""
        return self._next < end

    def cut(self, positions: Sequence[str]) -> None:
        """See Log."""
        first = {self._partition.partition: min(int(each) for each in positions) + 1}
        topics.cut(self._settings, self._topic, first, within_s=self._patience_s)

    def close(self) -> None:
        """See Log."""
        self._drop_producer()
        self._reader.close()

    @property
    def _reader(self) -> Consumer:
        if self._consumer is None:
            raise LogTrouble(reason="it is closed")
        return self._consumer

    def _logged(self, message: Message) -> Logged | None:
        if (then := following(message)) is None:
            return None
        self._next = then
        if message.error() is not None:
            return None
        return Logged(position=str(message.offset()), data=message.value() or b"")

    def _ends(self) -> tuple[int, int]:
        return ends(self._reader, self._partition, self._patience_s)

    def _make_producer(self) -> Producer:
        return Producer(self._settings | writing(self._patience_s))

    def _drop_producer(self) -> None:
        # The next one has a new session: what this one still holds must not come after what is written next.
        if self._producer is not None:
            self._producer.purge(in_flight=True, in_queue=True, blocking=False)
            self._producer.flush(0)
            self._producer = None


def writing(within_s: float) -> dict[str, Any]:
    """What a producer is told, whose writes have failed if they are not acknowledged ``within_s`` seconds."""
    return {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 0,
        "compression.type": "lz4",
        "message.timeout.ms": round(within_s * 1000),
    }


def ends(reader: Consumer, partition: TopicPartition, within_s: float) -> tuple[int, int]:
    """The first offset that ``partition`` has still, and the next that it will have. Raises LogTrouble."""
    never = Event()
    for _ in range(round(within_s / AGAIN_S)):
        try:
            found = reader.get_watermark_offsets(partition, timeout=within_s)
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET:
                raise trouble(error) from error
            never.wait(AGAIN_S)
        else:
            if found is not None:
                return found
            break
    raise LogTrouble(reason="Kafka: no broker answers")


def following(message: Message) -> int | None:
    """The offset that comes after ``message``, which may say that there is no more; None: it is not of the topic.

    Raises LogTrouble.
    """
    fault, offset = message.error(), message.offset() or 0
    if fault is None:
        return offset + 1
    match fault.code():
        case KafkaError._PARTITION_EOF:
            return offset
        case code if code in _OF_THE_GROUP:
            return None
        case KafkaError._AUTO_OFFSET_RESET:
            raise LogLost(reason=f"the topic {message.topic()} has let go of what came next here")
        case _:
            raise LogTrouble(reason=f"Kafka: {fault.str()}")


def trouble(error: Exception) -> LogTrouble:
    """``error``, one of librdkafka's, in our words."""
    fault = error.args[0] if error.args else error
    return LogTrouble(reason=f"Kafka: {fault.str() if isinstance(fault, KafkaError) else fault}")
