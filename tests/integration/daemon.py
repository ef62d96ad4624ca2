"""Runs the real daemon as a process of its own and talks to it as a client does."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import treq
from twisted.internet import reactor
from twisted.internet.error import ConnectError, ConnectionRefusedError
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool, ResponseNeverReceived

TWISTD = str(Path(sys.executable).with_name("twistd"))
ROOT = Path(__file__).parents[2]
KEY = "a-client-key"
SMS = {"recipient": 31633450007, "originator": "MB", "message": "This is a test message."}


#: Ports for each of the processes that run tests beside one another: one may be free for a moment while its daemon is
#: started again. None is among those that the kernel gives out.
_PORTS: Final = 1500
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
_ports: Final = cycle((os.getpid() + number) % _PORTS + 20_000 + _PORTS * _WORKER for number in range(_PORTS))


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


async def until(holds: Callable[[], Any], what: str, within_s: float = 60.0) -> Any:
    """Wait until ``holds()`` is true or awaits to something true; fail after ``within_s`` seconds."""
    deadline = reactor.seconds() + within_s
    while True:
        result = holds()
        if isinstance(result, Awaitable):
            result = await result
        if result:
            return result
        assert reactor.seconds() < deadline, f"waited {within_s} s in vain until {what}"
        await deferLater(reactor, 0.02)


class DaemonProcess:
    """One daemon, which can be killed and started again with its spool in place."""

    def __init__(self, folder: Path, provider_url: str | None, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.spool = folder / "smsd.db"
        self.output = folder / "output.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "SMSD_LISTEN": f"tcp:{self.port}:interface=127.0.0.1",
            "SMSD_SPOOL": f"sqlite:///{self.spool}",
            **{f"SMSD_{name.upper()}": value for name, value in settings.items()},
        }
        if provider_url is not None:
            self.environment |= {
                "SMSD_API_KEYS": f"tester={KEY}",
                "SMSD_MESSAGEBIRD_KEY": "live_key",
                "SMSD_MESSAGEBIRD_URL": provider_url,
            }
        self._pool = HTTPConnectionPool(reactor, persistent=False)
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start ``command`` (by default the daemon) without waiting for it."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command or (TWISTD, "--nodaemon", "--pidfile=", "smsd"),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.process

    async def start(self, *command: str) -> None:
        """Start and wait until it answers."""
        process = self.spawn(*command)
        await until(lambda: process.poll() is not None or self.is_healthy(), "the daemon answers")
        assert process.poll() is None, self.output.read_text()

    async def is_healthy(self) -> bool:
        try:
            return (await self.get("/health")).code == 200
        except (ConnectError, ConnectionRefusedError, ResponseNeverReceived):
            return False

    async def get(self, path: str) -> Any:
        return await treq.get(self.url + path, headers={"X-API-Key": KEY}, pool=self._pool, reactor=reactor)

    async def post(self, body: Any = SMS, **headers: str) -> Any:
        """POST ``body`` to /sms; what is not octets is sent as JSON."""
        kind = {"data": body} if isinstance(body, bytes) else {"json": body}
        all_headers = {"X-API-Key": KEY, "Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await treq.post(self.url + "/sms", headers=all_headers, pool=self._pool, reactor=reactor, **kind)

    async def accepted(self, **changed: Any) -> str:
        """POST one SMS that must be taken; its id."""
        response = await self.post(SMS | changed)
        answer = await response.json()
        assert response.code == 200, answer
        id: str = answer["id"]
        return id

    async def accepted_all(self, count: int) -> list[str]:
        """POST ``count`` SMS in one request that must be taken; their ids."""
        response = await self.post([SMS | {"reference": f"n{number}"} for number in range(count)])
        answer = await response.json()
        assert response.code == 200, answer
        ids: list[str] = answer["ids"]
        return ids

    async def shown(self, id: str) -> dict[str, Any]:
        """GET /sms/ID."""
        response = await self.get(f"/sms/{id}")
        shown: dict[str, Any] = await response.json()
        return shown

    async def ended(self) -> int:
        """Wait until the process has ended; its exit code, negative for a signal."""
        process = self.process
        assert process is not None
        await until(lambda: process.poll() is not None, "the daemon ends")
        assert process.returncode is not None
        return process.returncode

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.ended()

    async def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()
