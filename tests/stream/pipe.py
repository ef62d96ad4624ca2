"""Stands between a node and its broker as a network does, and can be cut: nothing gets through, and nobody is told."""

from typing import Any

from twisted.internet import reactor
from twisted.protocols.portforward import ProxyFactory, ProxyServer


class _End(ProxyServer):
    """The end that a client sees."""

    factory: "Pipe"

    def connectionMade(self) -> None:
        self.factory.ends.add(self)
        if self.factory.is_cut:
            self.transport.pauseProducing()
        else:
            super().connectionMade()

    def connectionLost(self, reason: Any) -> None:
        self.factory.ends.discard(self)
        super().connectionLost(reason)

    def transports(self) -> list[Any]:
        """Of both ends, as far as they are there."""
        return [each.transport for each in (self, self.peer) if each is not None and each.transport is not None]


class Pipe(ProxyFactory):
    """Passes on to a port of this machine what comes to one of its own."""

    protocol = _End
    noisy = False

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self.ends: set[_End] = set()
        self.is_cut = False
        self._listening: Any = reactor.listenTCP(0, self, interface="127.0.0.1")  # type: ignore[attr-defined]

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return f"127.0.0.1:{self.number}"

    @property
    def number(self) -> int:
        """The port that it listens on."""
        return int(self._listening.getHost().port)

    def cut(self, is_cut: bool) -> None:
        """Let nothing through, or what waits and all that follows."""
        self.is_cut = is_cut
        for each in list(self.ends):
            if each.peer is None and not is_cut:
                each.transport.abortConnection()  # it was begun meanwhile, and came to nothing
            for transport in each.transports():
                if is_cut:
                    transport.pauseProducing()
                else:
                    transport.resumeProducing()

    async def close(self) -> None:
        """Be gone."""
        await self._listening.stopListening()
        for each in list(self.ends):
            for transport in each.transports():
                transport.abortConnection()
