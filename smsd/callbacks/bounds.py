"""Keeps a receiver from holding a connection open, or filling the memory through it."""

from typing import Final

from twisted.internet.interfaces import IDelayedCall, IProtocolFactory, IReactorTime, ITransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

#: Octets of an answer that are read, headers and body together.
MAX_ANSWER: Final = 65_536
#: Seconds from our wish to close a connection until it is cut: TLS and unsent octets would wait for the other side.
LINGER_S: Final = 1.0


class BoundedProtocol(ProtocolWrapper):
    """One connection that ends ``life_s`` seconds after it is made, and once ``MAX_ANSWER`` octets came in."""

    factory: "BoundedFactory"
    _end: IDelayedCall
    _room = MAX_ANSWER

    def makeConnection(self, transport: ITransport) -> None:
        """Start the clock of a new connection."""
        self._end = self.factory.clock.callLater(self.factory.life_s, self._cut)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """Pass on what still fits."""
        taken, self._room = data[: self._room], self._room - len(data)
        super().dataReceived(taken)  # type: ignore[no-untyped-call]
        if self._room < 0:
            self._cut()

    def loseConnection(self) -> None:
        """Close the connection in a friendly way, but not for long."""
        super().loseConnection()  # type: ignore[no-untyped-call]
        if self._end.active():
            self._end.reset(LINGER_S)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # Protocol has a default reason
        """Stop the clock."""
        if self._end.active():
            self._end.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _cut(self) -> None:
        self.abortConnection()


class BoundedFactory(WrappingFactory[BoundedProtocol]):
    """Makes the protocols of ``factory`` bounded."""

    protocol = BoundedProtocol
    noisy = False

    def __init__(self, factory: IProtocolFactory, *, clock: IReactorTime, life_s: float) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        factory.noisy = False  # type: ignore[attr-defined]  # else two lines of the log for each post
        self.clock = clock
        self.life_s = life_s
