"""Whole daemons on one database: every one accepts, every one sends, at one rate together, also when one dies."""

import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests import postgresql
from tests.integration import coalescing
from tests.integration.daemon import SMS, DaemonProcess, until
from tests.stream.cluster import Cluster, accepted, says

pytestmark = pytest.mark.timed

RATE = 20


def most_in_a_second(times: list[float]) -> int:
    """The most of ``times`` that lie within any one second."""
    ordered = sorted(times)
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest_twisted.ensureDeferred
async def test_three_nodes_keep_one_rate_and_lose_nothing_when_one_is_killed(
    database: str, provider: Any, tmp_path: Path
) -> None:
    nodes = []
    for name in "abc":
        (tmp_path / name).mkdir()
        settings = {"spool": database, "rate": str(RATE), "lease": "3", "grace": "1", "retry_base": "0.5"}
        nodes.append(DaemonProcess(tmp_path / name, provider.url, **settings))
    try:
        for node in nodes:
            await node.start()
        ids: list[str] = []
        for number in range(20):
            response = await nodes[number % 3].post([SMS] * 20)
            assert response.code == 200
            ids += (await response.json())["ids"]
        await until(lambda: len(provider.stored) > 150, "the half is sent")
        await nodes[1].kill()
        await until(lambda: len(provider.stored) >= len(ids), "all are sent", 120)

        async def are_settled() -> bool:
            shown = await (await nodes[0].get("/sms?state=sent&limit=1000")).json()
            return len(shown["sms"]) == len(ids)

        await until(are_settled, "all are written down", 60)
        assert sorted(each["reference"] for each in provider.stored.values()) == sorted(ids)
        posts = [each.at_monotonic for each in provider.arrivals if each.method == "POST"]
        assert most_in_a_second(posts) <= RATE
        assert len(posts) / (max(posts) - min(posts)) >= 15.0
        shown = await nodes[2].shown(ids[0])
        assert shown["state"] == "sent"
        for node in (nodes[0], nodes[2]):
            assert await node.terminate() == 0
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
                node.process.wait()


@pytest_twisted.ensureDeferred
async def test_nodes_are_restarted_one_after_the_other_while_they_are_at_work(cluster: Cluster, database: str) -> None:
    for _ in range(3):
        await cluster.node(spool=database, lease="3")
    await cluster.holds_while_restarted()


@pytest_twisted.ensureDeferred
async def test_clocks_may_be_two_minutes_apart(cluster: Cluster, database: str) -> None:
    for ahead_s in (60, -60):
        await cluster.node_whose_clock_is(ahead_s, spool=database, lease="3")
    ids = await accepted(cluster.nodes, 100)
    await until(lambda: len(cluster.provider.stored) > 40, "some are sent")
    await cluster.nodes[0].kill()
    ids += await accepted(cluster.nodes[1:], 40)
    await cluster.sends_on()
    await cluster.nodes[0].start()
    await cluster.holds(ids, cluster.nodes[1])


@pytest_twisted.ensureDeferred
async def test_when_the_server_is_restarted_nothing_is_lost_or_sent_twice(cluster: Cluster) -> None:
    with postgresql.server() as server:
        database = server.database()
        nodes = [await cluster.node(spool=database, lease="3") for _ in range(3)]
        async with cluster.is_posted_to() as ids:
            await cluster.sends_on()
            server.stop()
            stopped_at = time.monotonic()
            for node in nodes:
                await until(lambda node=node: says(node, 503), "it says that it does not work", within_s=10.0)
            # What had its permit by then may still go; nobody gets another.
            assert not cluster.sent_since(stopped_at + 1.0)
            server.start()
            await cluster.sends_on()
            await cluster.sends_on()
        await cluster.holds(ids, nodes[0])
        for node in nodes:
            assert await node.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_what_waits_together_goes_out_once_though_both_nodes_are_killed(
    database: str, bird: Any, tmp_path: Path
) -> None:
    nodes = []
    for name in "ab":
        (tmp_path / name).mkdir()
        node = DaemonProcess(tmp_path / name, "http://127.0.0.1:1", spool=database, lease="3")
        node.environment |= coalescing.settings(bird)
        nodes.append(node)
    try:
        for node in nodes:
            await node.start()
        await coalescing.goes_out_once(nodes, bird)
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
