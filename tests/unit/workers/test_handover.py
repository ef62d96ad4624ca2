"""A connection goes to another process with all that was read of it, or not at all."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from smsd.workers.handover import MOST, Handover
from tests.integration.daemon import until


class Ear(Protocol):
    """Remembers what it hears."""

    def __init__(self, ears: "list[Ear]") -> None:
        self.heard = bytearray()
        ears.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data


class Deaf(Protocol):
    """Breaks over whatever it hears."""

    def dataReceived(self, data: bytes) -> None:
        raise ValueError


class Two:
    """Two ends of a handover in one process, and a door to the first."""

    def __init__(self, reactor: Any) -> None:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.first: list[Ear] = []
        self.second: list[Ear] = []
        self.breaks = False
        self.here = Handover(reactor=reactor, door=here, factory=Factory.forProtocol(self._back))
        self.there = Handover(reactor=reactor, door=there, factory=Factory.forProtocol(lambda: Ear(self.second)))
        self.there.start()
        self.port = reactor.listenTCP(0, Factory.forProtocol(lambda: Ear(self.first)), interface="127.0.0.1")

    def _back(self) -> Protocol:
        return Deaf() if self.breaks else Ear(self.first)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port.getHost().port), timeout=10)


@pytest.fixture
def two(reactor: Any) -> Iterator[Two]:
    made = Two(reactor)
    yield made
    made.there.stop()
    made.here.stop()
    made.port.stopListening()


@ensureDeferred
async def test_what_was_read_goes_with_it_and_what_comes_later_follows(two: Two) -> None:
    with two.connect() as client:
        await until(lambda: two.first, "it is there")
        before = b"x" * MOST
        assert two.here.give(two.first[0].transport, before)
        client.sendall(b" and on")
        await until(lambda: two.second and len(two.second[0].heard) == MOST + 7, "all of it came over")
        assert bytes(two.second[0].heard) == before + b" and on"
        assert two.first[0].heard == b""
        two.second[0].transport.write(b"answer")
        assert await deferToThread(client.recv, 6) == b"answer"
        two.second[0].transport.abortConnection()


@ensureDeferred
async def test_more_than_can_go_stays(two: Two) -> None:
    with two.connect() as client:
        await until(lambda: two.first, "it is there")
        assert not two.here.give(two.first[0].transport, b"x" * (MOST + 1))
        client.sendall(b"still here")
        await until(lambda: two.first[0].heard == b"still here", "it is served as before")
        two.first[0].transport.abortConnection()


@ensureDeferred
async def test_one_that_breaks_ends_alone(two: Two) -> None:
    two.here.start()
    two.breaks = True
    for _ in range(2):
        with two.connect() as client:
            await until(lambda: two.first, "it is there")
            assert two.there.give(two.first.pop().transport, b"what breaks it")
            assert await deferToThread(has_ended, client)
    two.breaks = False
    with two.connect() as client:
        await until(lambda: two.first, "it is there")
        assert two.there.give(two.first.pop().transport, b"good")
        await until(lambda: two.first and two.first[-1].heard == b"good", "the next one is served")
        two.first[-1].transport.abortConnection()


def has_ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
