"""A provider, and a world in memory."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted

from tests.integration.provider import Provider
from tests.stream.memorylog import Shard
from tests.stream.world import Clock, World


@pytest_twisted.async_yield_fixture
async def provider(reactor: Any) -> AsyncIterator[Provider]:
    provider = Provider(reactor)
    await provider.start()
    yield provider
    await provider.stop()


@pytest_twisted.async_yield_fixture
async def world(tmp_path: Path, reactor: Any) -> AsyncIterator[World]:
    world = World(Shard(), Clock(reactor), tmp_path)
    yield world
    world.shard.is_cut = False
    for node in world.opened:
        await node.close()
