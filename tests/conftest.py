"""What all tests share: one server of each kind, and how Hypothesis judges."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import HealthCheck, settings

from tests import postgresql
from tests.stream import kafka_server, kinesis_server
from tests.stream.kafka_server import Broker

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


@pytest.fixture(scope="session")
def kinesis() -> Iterator[str]:
    """The URL of one server for all."""
    with kinesis_server.server() as url:
        yield url


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One real broker for all."""
    with kafka_server.broker() as broker:
        yield broker


@pytest_twisted.async_yield_fixture
async def bird() -> AsyncIterator[Any]:
    """A look-alike of Bird that is not the sandbox."""
    from tests.integration.bird_provider import BirdProvider  # which brings the reactor in

    provider = BirdProvider().start()
    yield provider
    await provider.stop()


@pytest.fixture
def cluster(tmp_path: Path, provider: Any) -> Iterator[Any]:
    """Has no nodes yet; what they have in common is the test's own."""
    from tests.stream.cluster import Cluster  # which brings the reactor in

    cluster = Cluster(tmp_path, provider, {})
    yield cluster
    for node in cluster.nodes:
        if node.process is not None and node.process.poll() is None:
            node.process.kill()
            node.process.wait()


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor
