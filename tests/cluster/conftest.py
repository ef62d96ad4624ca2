"""Several nodes on one database."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_twisted
from twisted.internet import reactor as global_reactor

from smsd.spool.postgresql.engine import PostgresSpool
from tests.integration.provider import Provider


@pytest_twisted.async_yield_fixture
async def nodes(database: str) -> AsyncIterator[Callable[..., PostgresSpool]]:
    """Opens one node after the other; those that were not closed are closed at the end."""
    opened: list[PostgresSpool] = []

    def open_one(**settings: Any) -> PostgresSpool:
        node = PostgresSpool(database, **{"reactor": global_reactor, **settings})
        node.open()
        opened.append(node)
        return node

    yield open_one
    for node in opened:
        await node.close()


@pytest_twisted.async_yield_fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider look-alike that is not the sandbox."""
    provider = Provider(global_reactor)
    await provider.start()
    yield provider
    await provider.stop()
