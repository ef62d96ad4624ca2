"""Makes a spool of a topic."""

from collections.abc import Mapping
from typing import Any

from smsd.spool.kafka.keyed import KeyedTopic
from smsd.spool.kafka.log import KafkaLog
from smsd.spool.kafka.shelf import KafkaShelf
from smsd.spool.stream.engine import PATIENCE_S, StreamSpool
from smsd.spool.stream.shelf import SNAPSHOTS, Keeping, Timing
from smsd.spool.writer import IWriterReactor


def kafka_spool(
    brokers: str,
    topic: str,
    *,
    ledger: str,
    reactor: IWriterReactor,
    settings: Mapping[str, str] | None = None,
    patience_s: float = PATIENCE_S,
    snapshots: Timing | None = None,
    **more: Any,
) -> StreamSpool:
    """A spool in ``topic`` of ``brokers`` (``HOST:PORT,…``), with this node's ledger in the file ``ledger``.

    ``settings`` are librdkafka's own, such as ``security.protocol``. ``snapshots`` go into a topic of their own; with
    None there are none. The rest is StreamSpool's.
    """
    told: dict[str, Any] = {"settings": settings or {}, "patience_s": patience_s}
    log = KafkaLog(brokers, topic, **told)
    if snapshots is not None:
        beside = KeyedTopic(brokers, topic + SNAPSHOTS, partitions=2, **told)
        more["keeping"] = Keeping(KafkaShelf(beside), snapshots)
    return StreamSpool(log, name=f"kafka topic {topic}", ledger=ledger, reactor=reactor, patience_s=patience_s, **more)
