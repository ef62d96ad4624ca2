"""Runs the daemon and kills it, as ``kill -9`` does, at the step that is named on the command line."""

import os
import random
import signal
import sys
import time
from typing import Any

from twisted.internet import reactor
from twisted.python.components import proxyForInterface

from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.ports import IEngine, Lease
from smsd.service import Daemon
from smsd.settings import load
from smsd.wiring.engines import engine_for

STEPS = ("not yet appended", "appended", "leased", "attempt written", "before the settle", "settled")


class CrashingEngine(proxyForInterface(IEngine, "engine")):  # type: ignore[misc]  # a class made at run time
    """The real engine, until the step."""

    engine: Any

    def __init__(self, engine: Any, step: str) -> None:
        super().__init__(engine)
        self._step = step

    def _reached(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    async def append(self, *arguments: Any) -> Any:
        self._reached("not yet appended")
        place = await self.engine.append(*arguments)
        self._reached("appended")
        return place

    async def lease(self, *arguments: Any) -> Any:
        leases = await self.engine.lease(*arguments)
        if leases:
            self._reached("leased")
        return leases

    async def store(self, lease: Lease, after: Message) -> Any:
        if after.state is State.SENT:
            self._reached("before the settle")
        settled = await self.engine.store(lease, after)
        self._reached("attempt written" if after.state is State.SENDING else "settled")
        return settled


def main() -> None:
    settings = load(os.environ, {}, None)
    reactor.seconds = time.monotonic
    daemon = Daemon(
        settings,
        reactor=reactor,
        now=time.time,
        draw=random.random,
        engine=lambda *given: CrashingEngine(engine_for(*given), sys.argv[1]),
    )
    daemon.startService()
    reactor.run()


if __name__ == "__main__":
    main()
