"""Runs the daemon and kills it, as ``kill -9`` does, at the step that is named on the command line."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet import reactor
from zope.interface import implementer

from smsd.core.claim import Claim, Claimed
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.query import Page, Query
from smsd.ports import IEngine, Lease
from smsd.service import Daemon, engine_for
from smsd.settings import load

STEPS = ("not yet appended", "appended", "leased", "attempt written", "before the settle", "settled")


@implementer(IEngine)
class CrashingEngine:
    """The real engine, until the step."""

    def __init__(self, engine: Any, step: str) -> None:
        self._engine = engine
        self._step = step

    def _reached(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    def open(self) -> None:
        self._engine.open()

    async def close(self) -> None:
        await self._engine.close()

    async def append(self, messages: Sequence[Message], limit: int, claim: Claim | None = None) -> int:
        self._reached("not yet appended")
        ahead: int = await self._engine.append(messages, limit, claim)
        self._reached("appended")
        return ahead

    async def claimed(self, api_key: str, key: str, now: float) -> Claimed | None:
        claimed: Claimed | None = await self._engine.claimed(api_key, key, now)
        return claimed

    async def recover(self, now: float) -> int:
        recovered: int = await self._engine.recover(now)
        return recovered

    async def lease(self, now: float, limit: int, state: State = State.QUEUED) -> list[Lease]:
        leases: list[Lease] = await self._engine.lease(now, limit, state)
        if leases:
            self._reached("leased")
        return leases

    async def store(self, lease: Lease, after: Message) -> Lease:
        if after.state is State.SENT:
            self._reached("before the settle")
        settled: Lease = await self._engine.store(lease, after)
        self._reached("attempt written" if after.state is State.SENDING else "settled")
        return settled

    async def release(self, lease: Lease) -> None:
        await self._engine.release(lease)

    async def depth(self) -> Mapping[State, int]:
        depth: Mapping[State, int] = await self._engine.depth()
        return depth

    async def find(self, id: str) -> Message:
        found: Message = await self._engine.find(id)
        return found

    async def search(self, query: Query) -> Page:
        page: Page = await self._engine.search(query)
        return page

    async def amend(self, id: str, step: Callable[[Message], Message]) -> Message:
        amended: Message = await self._engine.amend(id, step)
        return amended


def main() -> None:
    settings = load(os.environ, {}, None)
    reactor.seconds = time.monotonic
    daemon = Daemon(
        settings,
        reactor=reactor,
        now=time.time,
        draw=random.random,
        engine=lambda url, reactor: CrashingEngine(engine_for(url, reactor), sys.argv[1]),
    )
    daemon.startService()
    reactor.run()


if __name__ == "__main__":
    main()
