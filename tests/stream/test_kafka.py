"""What smsd asks of a topic, and says when it is not so."""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.spool.kafka.engine import kafka_spool
from tests.messages import ROOM, sms
from tests.stream import kafka_server
from tests.stream.kafka_server import Broker

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with kafka_server.broker() as broker:
        yield broker


def make(broker: Broker, topic: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address})
    settings = {name.replace("_", "."): value for name, value in config.items()}
    admin.create_topics([NewTopic(topic, 1, 1, config=settings)])[topic].result(10)


def test_a_topic_that_would_lose_messages_is_refused(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    for topic, config, what in (
        ("compacted", {"cleanup_policy": "compact"}, "cleanup.policy=compact"),
        ("short", {"retention_ms": "1000"}, "retention.ms=1000"),
    ):
        make(broker, topic, **config)
        with pytest.raises(SpoolRefused, match=f"the topic {topic} has {what}"):
            kafka_spool(broker.address, topic, ledger=str(tmp_path / topic), reactor=reactor).open()


def test_a_broker_that_is_not_there_is_refused_in_words(tmp_path: Any, reactor: Any) -> None:
    engine = kafka_spool("127.0.0.1:1", "sms", ledger=str(tmp_path / "l"), reactor=reactor, lease_s=1.0)
    with pytest.raises(SpoolRefused, match="Kafka: "):
        engine.open()


@ensureDeferred
async def test_ten_thousand_at_once_are_kept_whole(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    one = kafka_spool(broker.address, "many", ledger=str(tmp_path / "one"), reactor=reactor)
    one.open()
    await one.append([sms(body="é" * 600) for _ in range(10_000)], ROOM)
    other = kafka_spool(broker.address, "many", ledger=str(tmp_path / "other"), reactor=reactor)
    other.open()
    assert (await other.standing()).states[State.QUEUED] == 10_000
    await one.close()
    await other.close()


@ensureDeferred
async def test_while_the_broker_is_away_nothing_is_accepted_and_then_all_goes_on(tmp_path: Any, reactor: Any) -> None:
    with kafka_server.broker() as broker:
        node = kafka_spool(broker.address, "sms", ledger=str(tmp_path / "l"), reactor=reactor, lease_s=4.0)
        node.open()
        message = sms()
        await node.append([message], ROOM)
        broker.kill()
        with pytest.raises(SpoolUnavailable, match="Kafka: "):
            await node.append([sms()], ROOM)
        broker.start()
        assert await node.find(message.id) == message
        await node.append([sms()], ROOM)
        await node.close()
