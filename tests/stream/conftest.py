"""A cluster without nodes yet, its provider, and a world in memory."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.integration.provider import Provider
from tests.stream.cluster import Cluster
from tests.stream.memorylog import Shard
from tests.stream.world import Clock, World


@pytest_twisted.async_yield_fixture
async def provider(reactor: Any) -> AsyncIterator[Provider]:
    provider = Provider(reactor)
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
def cluster(request: Any, tmp_path: Path, provider: Provider) -> Iterator[Cluster]:
    """Has no nodes yet; the stream is the test's own."""
    cluster = Cluster(tmp_path, provider, {})
    yield cluster
    for node in cluster.nodes:
        if node.process is not None and node.process.poll() is None:
            node.process.kill()
            node.process.wait()


@pytest_twisted.async_yield_fixture
async def world(tmp_path: Path, reactor: Any) -> AsyncIterator[World]:
    world = World(Shard(), Clock(reactor), tmp_path)
    yield world
    world.shard.is_cut = False
    for node in world.opened:
        await node.close()
