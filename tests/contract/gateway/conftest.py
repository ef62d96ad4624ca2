"""Every gateway, open, before the sandbox on a real port."""

import itertools
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import attrs
import pytest
import pytest_twisted
from twisted.internet.interfaces import IAddress
from twisted.web.server import Site

from smsd.core.message import Message
from smsd.core.outcome import LookupResult, Outcome
from smsd.core.settle import begin
from smsd.gateway.access import Access
from smsd.gateway.bird import BirdGateway
from smsd.gateway.messagebird import MessageBirdGateway
from smsd.sandbox.messagebird import MessageBirdSandbox
from smsd.sandbox.store import StoredMessage
from smsd.workers.apart import ApartBundler, ApartGateway
from tests import messages
from tests.integration.daemon import until

KEY = "test_secretkey"
#: Seconds that a late answer takes, and that it is waited for.
SLOW_S, TIMEOUT_S = 0.8, 0.3
USUAL = {"timeout_s": 5.0, "threads": 2, "now": time.time}
_NUMBERS = itertools.count(1)


class Gateway(Protocol):
    """A gateway with its life."""

    def start(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, message: Message) -> Outcome: ...

    async def lookup(self, message: Message) -> LookupResult: ...


class CountingSite(Site):
    """Counts the connections that are made."""

    connections = 0

    def buildProtocol(self, addr: IAddress) -> Any:
        self.connections += 1
        return super().buildProtocol(addr)


@attrs.define(kw_only=True)
class Place:
    """The sandbox, and how to get gateways to it."""

    url: str
    site: CountingSite
    delivered: list[StoredMessage]
    make: Callable[..., Any]
    opened: list[Any] = attrs.field(factory=list)

    def gateway(self, *, key: str = KEY, url: str | None = None, **given: Any) -> Any:
        """A gateway that is open; ``given`` is what both kinds are made with."""
        gateway = self.make(key, url or self.url, **(USUAL | given))
        gateway.start()
        self.opened.append(gateway)
        return gateway


def messagebird(reactor: Any) -> Callable[..., Any]:
    return lambda key, url, **given: MessageBirdGateway(key, url, reactor=reactor, **given)


def bird(reactor: Any) -> Callable[..., Any]:
    return lambda key, url, **given: BirdGateway(key, url, reactor=reactor, category="transactional", **given)


class Apart:
    """A gateway with a process of its own; what is to be sent waits until that is there."""

    async def send(self, message: Message, by: float = math.inf) -> Outcome:
        await until(lambda: self.is_apart or not self._is_open, "the process is ready")  # type: ignore[attr-defined]
        return await super().send(message, by)  # type: ignore[misc, no-any-return]

    async def send_together(self, messages: Sequence[Message], by: float = math.inf) -> Sequence[Outcome]:
        await until(lambda: self.is_apart or not self._is_open, "the process is ready")  # type: ignore[attr-defined]
        return await super().send_together(messages, by)  # type: ignore[misc, no-any-return]


class MessageBirdApart(Apart, ApartGateway):
    pass


class BirdApart(Apart, ApartBundler):
    pass


def messagebird_apart(reactor: Any) -> Callable[..., Any]:
    return _apart(MessageBirdApart, "messagebird", reactor)


def bird_apart(reactor: Any) -> Callable[..., Any]:
    return _apart(BirdApart, "bird", reactor)


def _apart(kind: Any, name: str, reactor: Any) -> Callable[..., Any]:
    def make(key: str, url: str, *, timeout_s: float, threads: int, now: Callable[[], float]) -> Any:
        access = Access(
            name=name,
            key=key,
            url=url,
            timeout_s=timeout_s,
            threads=threads,
            category="transactional" * (name == "bird"),
        )
        own = access.gateway(reactor=reactor, now=now, monotonic=time.monotonic)
        return kind(own=own, access=access, reactor=reactor)

    return make


async def place_for(make: Callable[..., Any], reactor: Any) -> AsyncIterator[Place]:
    delivered: list[StoredMessage] = []
    sandbox = MessageBirdSandbox(
        clock=reactor, now=time.time, deliver=delivered.append, access_key=KEY, slow_s=SLOW_S, gets_per_s=1000
    )
    site = CountingSite(sandbox.resource())
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    place = Place(url=f"http://127.0.0.1:{port.getHost().port}", site=site, delivered=delivered, make=make)
    yield place
    for gateway in place.opened:
        await gateway.close()
    await port.stopListening()


@pytest_twisted.async_yield_fixture(params=[messagebird, bird, messagebird_apart])
async def place(request: Any, reactor: Any) -> AsyncIterator[Place]:
    """The sandbox, with each kind of gateway."""
    async for place in place_for(request.param(reactor), reactor):
        yield place


@pytest_twisted.async_yield_fixture(params=[bird, bird_apart])
async def nest(request: Any, reactor: Any) -> AsyncIterator[Place]:
    """The sandbox, with Bird's gateway."""
    async for place in place_for(request.param(reactor), reactor):
        yield place


@pytest.fixture
def attempt() -> Callable[..., Message]:
    """Makes messages that are being sent, each with another id."""

    def make(**changed: Any) -> Message:
        now = time.time()
        given = {"id": f"01TEST{next(_NUMBERS):020}", "accepted_at": now, "not_before": now, **changed}
        return begin(messages.message(**given), now, "test")

    return make
