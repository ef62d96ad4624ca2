"""A look-alike of Kinesis for tests: kinesalite, from npm."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

VERSION: Final = "3.3.3"
#: Binds to the loopback address only, which its own command line cannot be told; lives on when a client dies; and
#: believes that LEAP_H hours have passed when it gets a signal.
LEAP_H: Final = 170
_SERVE: Final = f"""
process.on('uncaughtException', error => {{ if (error.code != 'ECONNRESET') throw error }})
const right = Date.now
let ahead = 0
Date.now = () => right() + ahead
process.on('SIGUSR2', () => {{ ahead += {LEAP_H} * 3600e3 }})
const server = require('kinesalite')({{path: process.argv[2], createStreamMs: 0, shardLimit: 1000}})
server.prependListener('request', (_, answer) => answer.setHeader('Date', new Date(Date.now()).toUTCString()))
server.listen(+process.argv[1], '127.0.0.1')"""


def package() -> Path:
    """The folder that it is installed in, once."""
    cache = Path(os.environ.get("SMSD_TEST_CACHE", Path.home() / ".cache/smsd-test"))
    folder = cache / f"kinesalite-{VERSION}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", ".", f"kinesalite@{VERSION}"], cwd=folder, check=True)
        (folder / "complete").touch()
    return folder


@attrs.define
class Server:
    """One server, which can be killed and started again with all that it had."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns when it can be connected to."""
        self.process = subprocess.Popen(["node", "-e", _SERVE, str(self.port), str(self.folder)], cwd=package())
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def leap(self) -> None:
        """Make it LEAP_H hours older: a stream that smsd has made keeps less."""
        assert self.process is not None
        before = self._date()
        self.process.send_signal(signal.SIGUSR2)
        while self._date() < before + timedelta(hours=LEAP_H):
            time.sleep(0.02)

    def _date(self) -> datetime:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", "/")
            return parsedate_to_datetime(connection.getresponse().headers["Date"])


@contextmanager
def started() -> Iterator[Server]:
    """A server of its own, removed at the end."""
    with TemporaryDirectory(prefix="smsd-kinesis-") as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = Server(Path(folder), probe.getsockname()[1])
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def server() -> Iterator[str]:
    """The URL of one of its own."""
    with started() as server:
        yield server.url


def settings(url: str) -> dict[str, str]:
    """The environment in which AWS's clients find the server at ``url``."""
    key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return {**key, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url}
