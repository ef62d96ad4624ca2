"""Every engine, opened, for one suite."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.report import Inbound
from smsd.spool.memory import MemorySpool
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.sqlite import SqliteSpool
from tests import messages
from tests.messages import NOW


@pytest.fixture
def now() -> float:
    """UTC epoch seconds at which the spool was opened."""
    return NOW


@pytest_twisted.async_yield_fixture(params=["memory", "sqlite", "postgresql"])
async def spool(request: Any, reactor: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """An open engine with room for 1,000."""
    engine = {
        "memory": lambda: MemorySpool(limit=1000),
        "sqlite": lambda: SqliteSpool(str(tmp_path / "spool.db"), reactor=reactor),
        "postgresql": lambda: PostgresSpool(request.getfixturevalue("database"), reactor=reactor),
    }[request.param]()
    engine.open()
    yield engine
    await engine.close()


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
