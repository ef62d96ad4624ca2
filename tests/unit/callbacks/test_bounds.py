from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from smsd.callbacks.bounds import LINGER_S, MAX_ANSWER, BoundedFactory, BoundedProtocol

LIFE_S = 15.0


@implementer(IAddress)
class Anywhere:
    pass


class Reader(Protocol):
    received = 0

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)


class Stubborn(StringTransport):
    """A transport whose other side never agrees to a close."""

    def loseConnection(self) -> None:
        pass

    def abortConnection(self) -> None:
        self.disconnected = True


def connect(clock: Clock) -> tuple[BoundedProtocol, Stubborn]:
    protocol = BoundedFactory(Factory.forProtocol(Reader), clock=clock, life_s=LIFE_S).buildProtocol(Anywhere())
    assert isinstance(protocol, BoundedProtocol)
    transport = Stubborn()
    protocol.makeConnection(transport)
    return protocol, transport


def test_a_connection_is_cut_when_its_life_is_over() -> None:
    clock = Clock()
    _, transport = connect(clock)
    clock.advance(LIFE_S - 0.1)
    assert not transport.disconnected
    clock.advance(0.1)
    assert transport.disconnected


def test_a_close_that_the_other_side_does_not_agree_to_becomes_a_cut() -> None:
    clock = Clock()
    protocol, transport = connect(clock)
    protocol.loseConnection()
    assert not transport.disconnected
    clock.advance(LINGER_S)
    assert transport.disconnected


def test_what_is_beyond_the_bound_is_not_passed_on_and_cuts_the_connection() -> None:
    protocol, transport = connect(Clock())
    reader = protocol.wrappedProtocol
    assert isinstance(reader, Reader)
    protocol.dataReceived(b"x" * MAX_ANSWER)
    assert not transport.disconnected
    protocol.dataReceived(b"x" * 100_000)
    assert transport.disconnected
    assert reader.received == MAX_ANSWER


def test_a_connection_that_ended_leaves_no_clock_running() -> None:
    clock = Clock()
    protocol, _ = connect(clock)
    protocol.connectionLost(None)  # type: ignore[arg-type]
    assert clock.getDelayedCalls() == []
    protocol, _ = connect(clock)
    clock.advance(LIFE_S)
    protocol.loseConnection()
    protocol.connectionLost(None)  # type: ignore[arg-type]
    assert clock.getDelayedCalls() == []
