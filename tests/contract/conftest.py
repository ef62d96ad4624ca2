"""Every engine, opened, for one suite."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.report import Inbound
from smsd.spool.kafka.engine import kafka_spool
from smsd.spool.kinesis.engine import kinesis_spool
from smsd.spool.memory import MemorySpool
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.sqlite import SqliteSpool
from smsd.spool.stream.engine import StreamSpool
from tests import messages
from tests.messages import NOW
from tests.stream import kinesis_server
from tests.stream.kafka_server import Broker
from tests.stream.memorylog import MemoryLog, Shard
from tests.stream.mock_cluster import mock_cluster, mock_log


@pytest.fixture
def now() -> float:
    """UTC epoch seconds at which the spool was opened."""
    return NOW


@pytest_twisted.async_yield_fixture(
    params=[
        "memory",
        "sqlite",
        "postgresql",
        "stream",
        "mock cluster",
        pytest.param("kafka", marks=pytest.mark.engines),
        pytest.param("kinesis", marks=pytest.mark.engines),
    ]
)
async def spool(request: Any, reactor: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """An open engine with room for 1,000."""
    engine = {
        "memory": lambda: MemorySpool(limit=1000),
        "sqlite": lambda: SqliteSpool(str(tmp_path / "spool.db"), reactor=reactor),
        "postgresql": lambda: PostgresSpool(request.getfixturevalue("database"), reactor=reactor),
        "stream": lambda: StreamSpool(
            MemoryLog(Shard()), name="log", ledger=str(tmp_path / "ledger.db"), reactor=reactor
        ),
        "mock cluster": lambda: _on_mock_cluster(request.getfixturevalue("mock_brokers"), tmp_path, reactor),
        "kinesis": lambda: _on_kinesis(request, tmp_path, reactor),
        "kafka": lambda: _on_kafka(request.getfixturevalue("broker"), tmp_path, reactor),
    }[request.param]()
    engine.open()
    yield engine
    await engine.close()


_TOPICS = count(1)


def _on_kafka(broker: Broker, folder: Path, reactor: Any) -> StreamSpool:
    return kafka_spool(broker.address, f"smsd{next(_TOPICS)}", ledger=str(folder / "ledger.db"), reactor=reactor)


@pytest.fixture(scope="session")
def mock_brokers() -> Iterator[str]:
    with mock_cluster() as brokers:
        yield brokers


def _on_mock_cluster(brokers: str, folder: Path, reactor: Any) -> StreamSpool:
    log = mock_log(brokers, f"smsd{next(_TOPICS)}")
    return StreamSpool(log, name="mock", ledger=str(folder / "ledger.db"), reactor=reactor)


def _on_kinesis(request: Any, folder: Path, reactor: Any) -> StreamSpool:
    environment = request.getfixturevalue("monkeypatch")
    for name, value in kinesis_server.settings(request.getfixturevalue("kinesis")).items():
        environment.setenv(name, value)
    return kinesis_spool(f"smsd{next(_TOPICS)}", ledger=str(folder / "ledger.db"), reactor=reactor, create=True)


@pytest.fixture
def sms() -> Callable[..., Message]:
    """Makes messages, each with another id, due at once unless said otherwise."""
    return messages.sms


@pytest.fixture
def inbound() -> Callable[[str], Inbound]:
    """Makes incoming messages by their ids."""
    return lambda id: Inbound(
        id=id, originator="31600000001", recipient=Msisdn("31600000002"), body="STOP", received_at=NOW
    )
