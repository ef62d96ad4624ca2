"""One PostgreSQL server for all tests that want one."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    with postgresql.server() as server:
        yield server


@pytest.fixture
def database(server: postgresql.Server) -> str:
    """The URL of an empty database."""
    return server.database()


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor
