"""Starts the processes that are measured, and stops them."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import attrs

from tests.bench import usage
from tests.integration.daemon import KEY, ROOT, DaemonProcess, free_port

#: Seconds within which a server has to answer.
PATIENCE_S: Final = 60.0
#: More than any benchmark posts.
NO_LIMIT: Final = 1_000_000_000
#: A provider that nobody reaches, at a rate at which nothing is sent.
NOWHERE: Final = "http://127.0.0.1:9"
STANDING: Final = "0.001"


@attrs.frozen(kw_only=True)
class Server:
    """A process that takes ``POST /sms``."""

    url: str  #: http://HOST:PORT, without a slash at the end
    pid: int
    headers: str = ""  #: lines that each request needs
    ready_s: float = 0.0  #: seconds from its start until it was ready
    others: Sequence[int] = ()  #: further processes that are part of it

    @property
    def sms(self) -> str:
        """Where SMS are posted."""
        return f"{self.url}/sms"

    def cpu_s(self) -> dict[int, float]:
        """See usage.cpu_s."""
        return {pid: ran for each in (self.pid, *self.others) for pid, ran in usage.cpu_s(each).items()}

    def get(self, path: str) -> str:
        """What it answers there, which must be 200."""
        status, text = _get(self.url, path)
        assert status == 200, (status, text)
        return text


@contextmanager
def bare() -> Iterator[Server]:
    """A bare Klein route."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", str(port)], cwd=ROOT)
    with ended(process):
        url = f"http://127.0.0.1:{port}"
        await_answer(url, "/", {404}, process)
        yield Server(url=url, pid=process.pid)


@contextmanager
def smsd(folder: Path, provider: str = NOWHERE, rate: str = STANDING) -> Iterator[Server]:
    """A daemon with default settings over the SQLite spool in ``folder``, but for its limit and ``rate`` a second."""
    folder.mkdir(exist_ok=True)
    daemon = DaemonProcess(folder, provider, rate=rate, backlog_limit=str(NO_LIMIT))
    begun = time.perf_counter()
    process = daemon.spawn()
    with ended(process):
        await_answer(daemon.url, "/ready", {200}, process)
        ready_s = time.perf_counter() - begun
        yield Server(url=daemon.url, pid=process.pid, headers=f"X-API-Key: {KEY}\r\n", ready_s=ready_s)


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Have ``process`` end with the block."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_answer(url: str, path: str, wanted: set[int], process: "subprocess.Popen[bytes]") -> None:
    """Wait until ``process`` answers a GET of ``path`` at ``url`` with a status that is wanted."""
    _await(lambda: _get(url, path)[0] in wanted, process)


def await_text(url: str, path: str, part: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until what ``process`` answers there has ``part`` in it."""
    _await(lambda: part in _get(url, path)[1], process)


def await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until ``process`` takes connections to ``port``."""
    _await(lambda: _connects(port), process)


def _connects(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)):
        return True


def _await(holds: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        with suppress(OSError, HTTPException):
            if holds():
                return
        time.sleep(0.02)
    raise TimeoutError(process.args)


def _get(url: str, path: str) -> tuple[int, str]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"X-API-Key": KEY})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
