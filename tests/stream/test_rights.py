"""What smsd does on Kafka with the rights it was given, and says when they are too few."""

import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from pytest_twisted import ensureDeferred
from twisted.logger import capturedLogs, formatEvent

from smsd.core.errors import SpoolRefused
from smsd.core.notice import unmeasured
from smsd.settings import load
from smsd.spool.kafka.topics import KEEPING
from smsd.wiring.engines import engine_for
from tests.integration.daemon import until
from tests.messages import NOW, ROOM, sms
from tests.stream import kafka_server
from tests.stream.kafka_server import USER, Broker

pytestmark = pytest.mark.engines

#: What docs/kafka.md says is needed, of each of the two topics.
LEAST = (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE)


@pytest.fixture(scope="module")
def strict() -> Iterator[Broker]:
    """A broker on which nobody may do what he was not granted."""
    with kafka_server.broker(is_strict=True) as broker:
        yield broker


@pytest_twisted.async_yield_fixture
async def node(strict: Broker, tmp_path: Path, reactor: Any) -> AsyncIterator[Callable[[str], Any]]:
    """Opens nodes that come as USER, by their topics."""
    opened: list[Any] = []

    def make(topic: str) -> Any:
        told = {"SMSD_SPOOL": f"kafka://{strict.guarded}/{topic}", "SMSD_LEDGER": str(tmp_path / "ledger.db")}
        settings = load(strict.keyring() | told | {"SMSD_SNAPSHOT": "0.0001"}, {}, None)
        engine = engine_for(settings, reactor, unmeasured, time.time)
        engine.open()
        opened.append(engine)
        return engine

    yield make
    for each in opened:
        await each.close()


def make(broker: Broker, topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic(topic, partitions, 1, config=KEEPING)])[topic].result(30)


def grant(broker: Broker, topic: str, *operations: AclOperation) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address})
    words = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{USER}", "*")
    for granted in admin.create_acls(
        [AclBinding(*words, each, AclPermissionType.ALLOW) for each in operations]
    ).values():
        granted.result(30)


def test_a_topic_that_may_not_be_made_is_named_with_what_makes_it(node: Any) -> None:
    said = (
        r"the topic mine is missing and cannot be made \(Authorization failed.*\)\. Make it: kafka-topics\.sh --create"
    )
    with pytest.raises(SpoolRefused, match=said):
        node("mine")


@ensureDeferred
async def test_what_the_manual_says_is_needed_is_enough_and_with_delete_the_topic_is_cut_back(
    strict: Broker, node: Any
) -> None:
    name = f"least-{secrets.token_hex(4)}"
    for topic, partitions in ((name, 1), (f"{name}-snapshots", 2)):
        make(strict, topic, partitions)
        grant(strict, topic, *LEAST)
    with capturedLogs() as logged:
        engine = node(name)
        message = sms()
        await engine.append([message], ROOM)
        [lease] = await engine.lease(NOW, 1)
        assert lease.message == message
        said = "which takes DELETE on it: .*authorization failed"
        await until(lambda: any(re.search(said, str(formatEvent(each))) for each in logged), "it says what it lacks")
    assert strict.first_of(name) == 0
    for topic in (name, f"{name}-snapshots"):
        grant(strict, topic, AclOperation.DELETE)

    async def is_cut_back() -> bool:
        await engine.lease(NOW, 0)  # whoever asks for more keeps the lane
        return strict.first_of(name) > 0

    await until(is_cut_back, "the topic is cut back")
