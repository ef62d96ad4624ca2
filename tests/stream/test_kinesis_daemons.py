"""Whole daemons on one stream of Kinesis: killed and back, or cut from it."""

import time
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from tests.integration import coalescing
from tests.integration.daemon import until
from tests.stream import kinesis_server
from tests.stream.cluster import COUNT, Cluster, accepted
from tests.stream.kinesis_proxy import proxy

pytestmark = pytest.mark.engines


@ensureDeferred
async def test_one_node_on_kinesis_is_killed_and_comes_back(cluster: Cluster) -> None:
    with kinesis_server.server() as url:
        cluster.environment = kinesis_server.settings(url)
        node = await cluster.node(spool="kinesis://sms", kinesis_create="yes")
        ids = await accepted([node], COUNT)
        await until(lambda: len(cluster.provider.stored) > 80, "some are sent")
        await node.kill()
        await node.start()
        await cluster.is_followed(time.monotonic())
        await cluster.holds(ids, node)
        assert await node.terminate() == 0


@ensureDeferred
async def test_nodes_are_restarted_one_after_the_other_while_they_are_at_work(cluster: Cluster, kinesis: str) -> None:
    cluster.environment = kinesis_server.settings(kinesis)
    for _ in range(3):
        await cluster.node(spool="kinesis://rolling", kinesis_create="yes")
    await cluster.holds_while_restarted()


@ensureDeferred
async def test_a_node_that_is_cut_from_its_stream_stops_and_says_so_and_the_other_goes_on(
    cluster: Cluster, kinesis: str
) -> None:
    with proxy(kinesis) as one_way, proxy(kinesis) as other_way:
        for way in (one_way, other_way):
            cluster.environment = kinesis_server.settings(way.url)
            await cluster.node(spool="kinesis://cut", kinesis_create="yes")
        ids = await accepted(cluster.nodes, COUNT // 2)
        await until(lambda: len(cluster.provider.stored) > 30, "some are sent")
        await cluster.holds_while_cut(ids, [one_way.cut, other_way.cut])


@ensureDeferred
async def test_a_stream_that_is_missing_is_named_with_what_makes_it(cluster: Cluster) -> None:
    with kinesis_server.server() as url:
        cluster.environment = kinesis_server.settings(url)
        with pytest.raises(AssertionError, match=r"aws kinesis create-stream --stream-name sms --shard-count 1"):
            await cluster.node(spool="kinesis://sms")


@ensureDeferred
async def test_what_waits_together_goes_out_once_though_both_nodes_are_killed(
    cluster: Cluster, kinesis: str, bird: Any
) -> None:
    cluster.environment = kinesis_server.settings(kinesis) | coalescing.settings(bird)
    stream = {"spool": "kinesis://together", "kinesis_create": "yes"}
    await coalescing.goes_out_once([await cluster.node(**stream), await cluster.node(**stream)], bird)
