from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.integration import bucket
from tests.integration.daemon import DaemonProcess
from tests.integration.provider import Provider


@pytest_twisted.async_yield_fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider look-alike that is not the sandbox."""
    provider = Provider(reactor)
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of a look-alike of S3."""
    with bucket.served() as url:
        yield url


@pytest.fixture
def daemon(tmp_path: Path, provider: Provider) -> Any:
    """Makes a daemon, not yet started, that sends to ``provider``; killed at the end if it still runs."""
    made: list[DaemonProcess] = []

    def make(**settings: str) -> DaemonProcess:
        made.append(DaemonProcess(tmp_path, provider.url, **settings))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.process.kill()
            each.process.wait()
