"""A bad night of three nodes, on every engine that nodes may share."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import deferLater

from smsd.spool.stream.engine import LEASE_S
from tests import postgresql
from tests.integration.daemon import until
from tests.stream import kafka_server, kinesis_server
from tests.stream.cluster import Cluster, says


@attrs.frozen
class Engine:
    """What the nodes share."""

    environment: dict[str, str]
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def on_postgresql() -> Iterator[Engine]:
    with postgresql.server() as server:
        yield Engine({"SMSD_SPOOL": server.database(), "SMSD_LEASE": str(LEASE_S)}, server.stop, server.start)


@contextmanager
def on_kafka() -> Iterator[Engine]:
    with kafka_server.broker() as broker:
        yield Engine({"SMSD_SPOOL": f"kafka://{broker.address}/sms"}, broker.kill, broker.start)


@contextmanager
def on_kinesis() -> Iterator[Engine]:
    with kinesis_server.started() as server:
        created = {"SMSD_SPOOL": "kinesis://sms", "SMSD_KINESIS_CREATE": "yes"}
        yield Engine(created | kinesis_server.settings(server.url), server.kill, server.start)


ENGINES = [
    on_postgresql,
    pytest.param(on_kafka, marks=pytest.mark.engines),
    pytest.param(on_kinesis, marks=pytest.mark.engines),
]


@pytest.mark.parametrize("shared", ENGINES)
@ensureDeferred
async def test_three_nodes_get_through_a_bad_night(shared: Any, cluster: Cluster, reactor: Any) -> None:
    with shared() as engine:
        cluster.environment = engine.environment
        one, two, three = [await cluster.node() for _ in range(3)]
        async with cluster.is_posted_to() as ids:
            await cluster.sends_on()
            # Stopped for a moment, and for longer than a lease.
            for node, stopped_s in ((one, 0.3), (two, LEASE_S + 3.0)):
                cluster.signal(node, signal.SIGSTOP)
                await deferLater(reactor, stopped_s)
                cluster.signal(node, signal.SIGCONT)
                await cluster.sends_on()
            # Killed, whoever it is that sends.
            sender = await cluster.sender()
            await sender.kill()
            await cluster.sends_on()
            await sender.start()
            # Without what they share.
            engine.stop()
            for node in (one, two, three):
                await until(lambda node=node: says(node, 503), "it says that it does not work", within_s=15.0)
            engine.start()
            await cluster.sends_on()
        await cluster.holds(ids, three)
        for node in (one, two, three):
            assert (await node.shown(ids[0]))["state"] == "sent"
            assert await node.terminate() == 0
