"""Brokers that librdkafka pretends to be: without Java, for the quick run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Producer

from smsd.spool.kafka.log import KafkaLog

#: As many as a real cluster has at least.
BROKERS: Final = 3


@contextmanager
def mock_cluster() -> Iterator[str]:
    """``HOST:PORT,…`` of each, while they run: as threads of a client that nobody else uses."""
    keeper = Producer({"bootstrap.servers": "none:1", "test.mock.num.brokers": BROKERS, "log_level": 2})
    brokers = keeper.list_topics(timeout=30).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    keeper.purge()


def mock_log(brokers: str, topic: str) -> KafkaLog:
    """A log in ``topic``, which is made when a producer asks for it: these brokers cannot be told to make one."""

    def asked_for(settings: Mapping[str, Any], topic: str, *, within_s: float) -> str:
        _ = Producer(dict(settings)).list_topics(topic, timeout=within_s)
        return topic

    return KafkaLog(brokers, topic, settings={}, patience_s=4.0, prepare=asked_for)
