"""Whole daemons on a topic that three brokers keep, of whom one dies."""

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, PartitionMetadata
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.integration.daemon import until
from tests.stream import kafka_server
from tests.stream.cluster import Cluster
from tests.stream.kafka_server import Broker

pytestmark = pytest.mark.engines

TOPIC = "sms"


def addresses(brokers: Sequence[Broker]) -> str:
    return ",".join(each.address for each in brokers)


def client(asked: Sequence[Broker]) -> AdminClient:
    # One that is dead is no news.
    return AdminClient({"bootstrap.servers": addresses(asked), "log_level": 2})


def partition(asked: Sequence[Broker]) -> PartitionMetadata:
    """Who has the messages."""
    return client(asked).list_topics(TOPIC, timeout=5.0).topics[TOPIC].partitions[0]


def least_in_sync(asked: Sequence[Broker]) -> str:
    """How many must have what is to be acknowledged."""
    admin, resource = client(asked), ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
    return str(admin.describe_configs([resource])[resource].result(5.0)["min.insync.replicas"].value)


async def are_in_sync(asked: Sequence[Broker], count: int) -> None:
    """Wait until ``count`` brokers have all that was acknowledged, as those say that are ``asked``."""

    def are() -> bool:
        try:
            return len(partition(asked).isrs) == count
        except KafkaException:
            return False

    await until(lambda: deferToThread(are), f"{count} are in sync", within_s=30.0)


@pytest.mark.parametrize("dies", ["the leader", "a follower"])
@ensureDeferred
async def test_when_one_of_three_brokers_dies_all_goes_on(cluster: Cluster, dies: str) -> None:
    with kafka_server.brokers(3, heap_mb=256) as brokers:
        cluster.environment = {"SMSD_SPOOL": f"kafka://{addresses(brokers)}/{TOPIC}"}
        nodes = [await cluster.node(), await cluster.node()]
        assert (len(partition(brokers).replicas), least_in_sync(brokers)) == (3, "2")
        async with cluster.is_posted_to() as ids:
            await cluster.sends_on()
            leader = partition(brokers).leader
            [dead, *_] = [each for each in brokers if (each.number == leader) == (dies == "the leader")]
            others = [each for each in brokers if each is not dead]
            dead.kill()
            await are_in_sync(others, 2)
            await cluster.sends_on()
            dead.spawn()
            await are_in_sync(others, 3)
            await cluster.sends_on()
        await cluster.holds(ids, nodes[0])
