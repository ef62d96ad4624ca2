"""What all tests share: one PostgreSQL server, and how Hypothesis judges."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import postgresql

# How fast a machine is that others use as well is none of the properties that are tested.
settings.register_profile("smsd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("smsd")


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
