"""Makes a spool of a topic."""

from collections.abc import Mapping
from typing import Any

from smsd.spool.kafka.log import KafkaLog
from smsd.spool.stream.engine import PATIENCE_S, StreamSpool
from smsd.spool.writer import IWriterReactor


def kafka_spool(
    brokers: str,
    topic: str,
    *,
    ledger: str,
    reactor: IWriterReactor,
    settings: Mapping[str, str] | None = None,
    patience_s: float = PATIENCE_S,
    **more: Any,
) -> StreamSpool:
    """A spool in ``topic`` of ``brokers`` (``HOST:PORT,…``), with this node's ledger in the file ``ledger``.

    ``settings`` are librdkafka's own, such as ``security.protocol``; the rest is StreamSpool's.
    """
    log = KafkaLog(brokers, topic, settings=settings or {}, patience_s=patience_s)
    return StreamSpool(log, name=f"kafka topic {topic}", ledger=ledger, reactor=reactor, patience_s=patience_s, **more)
