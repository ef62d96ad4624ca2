"""Nodes on a log in memory, and time that is given."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from smsd.core.errors import UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.retry import Backoff
from smsd.core.settle import Policy
from smsd.spool.stream.engine import StreamSpool
from tests.stream.memorylog import MemoryLog, Shard

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=1.0))
LEASE_S, PAUSE_S = 6.0, 1.5


class Clock:
    """The real reactor, but for the time."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.now = 0.0
        self.asked = 0  #: how often

    def seconds(self) -> float:
        self.asked += 1
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@attrs.define
class World:
    shard: Shard
    clock: Clock
    folder: Path
    opened: list[StreamSpool] = attrs.field(factory=list)

    def node(self, ledger: str | None = None, **more: Any) -> StreamSpool:
        name = ledger or f"ledger{len(self.opened)}.db"
        log = MemoryLog(more.pop("shard", self.shard))
        times = {"lease_s": LEASE_S, "pause_s": PAUSE_S, "follow_s": 1e9}
        node = StreamSpool(
            log, **{"name": "log", "ledger": str(self.folder / name), "reactor": self.clock} | times | more
        )
        node.open()
        self.opened.append(node)
        return node

    async def kill(self, node: StreamSpool) -> None:
        """End ``node`` without its saying so to anybody."""
        self.shard.is_cut = True
        await node.close()
        self.shard.is_cut = False


async def queued(node: StreamSpool) -> int:
    """How many are queued, with all that is in the log by now."""
    with pytest.raises(UnknownMessage):
        await node.find("none, but it reads the log for it")
    return (await node.standing()).states[State.QUEUED]
