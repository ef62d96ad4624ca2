"""Three nodes as processes: one is killed, all are stopped now and then, and the provider counts."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import deferLater

from smsd.core.lifecycle import State
from tests.integration.daemon import ROOT, until
from tests.integration.provider import Provider
from tests.messages import ROOM, sms
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.timed

LEASE_S = 3.0
COUNT = 160
RATE = 20


class Nodes:
    """Processes that send from one database."""

    def __init__(self, folder: Path, spool: str, provider: Provider) -> None:
        self._given = json.dumps(
            {"spool": spool, "provider": provider.url, "rate": RATE, "lease_s": LEASE_S, "grace_s": 1.0}
        )
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start one more."""
        with (self._folder / f"node{len(self.processes)}.log").open("wb") as log:
            command = [sys.executable, str(ROOT / "tests/cluster/node.py"), self._given]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))

    def are_ready(self) -> bool:
        """Whether all have begun."""
        logs = [self._folder / f"node{number}.log" for number in range(len(self.processes))]
        return all("ready" in log.read_text() for log in logs)


@pytest.fixture
def processes(tmp_path: Path, database: str, provider: Provider) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path, database, provider)
    yield nodes
    for each in nodes.processes:
        each.kill()
        each.wait()


def due() -> list[Any]:
    now = time.time()
    return [sms(accepted_at=now, changed_at=now, not_before=now) for _ in range(COUNT)]


@ensureDeferred
async def test_none_is_lost_or_sent_twice_and_no_second_holds_more_than_the_rate(
    reactor: Any, nodes: Any, processes: Nodes, provider: Provider
) -> None:
    draw = random.Random(7)
    accepting = nodes()
    for _ in range(3):
        processes.start()
    await until(processes.are_ready, "the nodes have begun")
    await accepting.append(due(), ROOM)

    for stop_s in [0.05, 0.2, LEASE_S + 2, 0.3, 0.1, 0.2]:
        await deferLater(reactor, draw.random())
        stopped = draw.choice(processes.processes[1:])
        stopped.send_signal(signal.SIGSTOP)
        await deferLater(reactor, stop_s)
        stopped.send_signal(signal.SIGCONT)
        if stop_s > LEASE_S:
            processes.processes[0].kill()

    async def all_are_sent() -> bool:
        return (await accepting.standing()).states[State.SENT] == COUNT

    await until(all_are_sent, "all are sent", within_s=90.0)
    sent = Counter(shown["reference"] for shown in provider.stored.values())
    assert (len(sent), max(sent.values())) == (COUNT, 1)
    assert most_within([arrival.at_monotonic for arrival in provider.posts()], 1.0) <= RATE
