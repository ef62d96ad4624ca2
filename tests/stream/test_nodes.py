"""Two sending nodes as processes: the owner is killed, or stalls, or the broker goes; and the provider counts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.task import deferLater

from smsd.core.lifecycle import State
from tests.integration.daemon import ROOT, until
from tests.integration.provider import Provider
from tests.messages import ROOM, sms
from tests.stream import kafka_server, kinesis_server
from tests.stream.engines import spool
from tests.stream.kafka_server import Broker
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.engines

LEASE_S = 4.0
PAUSE_S = 1.5
COUNT = 300
RATE = 20


@pytest.fixture
def broker() -> Iterator[Broker]:
    with kafka_server.broker() as broker:
        yield broker


@pytest_twisted.async_yield_fixture
async def provider(reactor: Any) -> AsyncIterator[Provider]:
    provider = Provider(reactor)
    await provider.start()
    yield provider
    await provider.stop()


class Nodes:
    """Processes that send from one topic, and one engine here that only accepts."""

    def __init__(self, folder: Path, words: dict[str, Any], provider: Provider, reactor: Any) -> None:
        self.words = {**words, "lease_s": LEASE_S, "pause_s": PAUSE_S}
        self.folder = folder
        self.provider = provider
        self.processes: list[subprocess.Popen[bytes]] = []
        self.accepting = spool(reactor, ledger=str(folder / "accepting.db"), **self.words)

    def start(self) -> None:
        """Start one more."""
        name = f"node{len(self.processes)}"
        stream = {**self.words, "ledger": str(self.folder / f"{name}.db")}
        given = {"stream": stream, "provider": self.provider.url, "rate": RATE, "grace_s": 1.0}
        with (self.folder / f"{name}.log").open("wb") as log:
            command = [sys.executable, str(ROOT / "tests/stream/node.py"), json.dumps(given)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))

    def are_ready(self) -> bool:
        """Whether all have begun."""
        logs = [self.folder / f"node{number}.log" for number in range(len(self.processes))]
        return all("ready" in log.read_text() for log in logs)

    async def is_sent(self, count: int) -> bool:
        """Whether the accepting node knows of ``count`` that were sent."""
        return (await self.accepting.standing()).states.get(State.SENT, 0) >= count


@asynccontextmanager
async def two_nodes(folder: Path, words: dict[str, Any], provider: Provider, reactor: Any) -> AsyncIterator[Nodes]:
    """The first of them has the lane, and COUNT messages are due."""
    nodes = Nodes(folder, words, provider, reactor)
    nodes.accepting.open()
    nodes.start()
    await until(nodes.are_ready, "the first node has begun")
    nodes.start()
    await until(nodes.are_ready, "the second node has begun")
    now = time.time()
    await nodes.accepting.append([sms(accepted_at=now, changed_at=now, not_before=now) for _ in range(COUNT)], ROOM)
    yield nodes
    for each in nodes.processes:
        each.kill()
        each.wait()
    await nodes.accepting.close()


@pytest_twisted.async_yield_fixture
async def nodes(tmp_path: Path, broker: Broker, provider: Provider, reactor: Any) -> AsyncIterator[Nodes]:
    words = {"kind": "kafka", "brokers": broker.address, "topic": "sms"}
    async with two_nodes(tmp_path, words, provider, reactor) as nodes:
        yield nodes


async def all_are_sent_once(nodes: Nodes) -> None:
    await until(lambda: nodes.is_sent(COUNT), "all are sent", within_s=120.0)
    sent = Counter(shown["reference"] for shown in nodes.provider.stored.values())
    assert (len(sent), max(sent.values())) == (COUNT, 1)
    arrivals = [arrival.at_monotonic for arrival in nodes.provider.posts()]
    assert most_within(arrivals, 1.0) <= RATE
    gap = max(after - before for before, after in pairwise(arrivals))
    print(f"longest gap {gap:.1f} s, {COUNT / (arrivals[-1] - arrivals[0]):.1f} a second, {len(arrivals)} requests")


@ensureDeferred
async def test_when_the_owner_is_killed_the_standby_goes_on(nodes: Nodes) -> None:
    await until(lambda: nodes.is_sent(80), "some are sent")
    nodes.processes[0].kill()
    await all_are_sent_once(nodes)


@ensureDeferred
async def test_an_owner_that_was_stopped_for_longer_than_its_lease_sends_nothing_more(
    nodes: Nodes, reactor: Any
) -> None:
    await until(lambda: nodes.is_sent(80), "some are sent")
    for each, stop_s in ((0, 0.3), (0, 1.0), (0, LEASE_S + PAUSE_S + 2), (1, 0.5), (1, LEASE_S + PAUSE_S + 2)):
        nodes.processes[each].send_signal(signal.SIGSTOP)
        await deferLater(reactor, stop_s)
        nodes.processes[each].send_signal(signal.SIGCONT)
        await deferLater(reactor, 0.5)
    await all_are_sent_once(nodes)


@ensureDeferred
async def test_when_the_broker_dies_and_comes_back_all_goes_on(nodes: Nodes, broker: Broker, reactor: Any) -> None:
    await until(lambda: nodes.is_sent(80), "some are sent")
    broker.kill()
    await deferLater(reactor, 3.0)
    broker.start()
    await all_are_sent_once(nodes)


@ensureDeferred
async def test_on_kinesis_when_the_owner_is_killed_the_standby_goes_on(
    tmp_path: Path, provider: Provider, reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kinesis_server.server() as url:
        for name, value in kinesis_server.settings(url).items():
            monkeypatch.setenv(name, value)
        words = {"kind": "kinesis", "stream": "sms", "create": True}
        async with two_nodes(tmp_path, words, provider, reactor) as nodes:
            await until(lambda: nodes.is_sent(80), "some are sent")
            nodes.processes[0].kill()
            await all_are_sent_once(nodes)
