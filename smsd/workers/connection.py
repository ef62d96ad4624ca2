"""Serves one connection in an accept process."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from smsd.api.door import POST_SMS
from smsd.api.exchange import Exchange, Heads, Reply, Shortcut

#: What a key is answered that is wrong, for something else, or looked at no more.
_KEY_TROUBLE: Final = frozenset({401, 403, 429})
#: Passes a connection with what was read of it back to the daemon; False if that cannot be done now.
GiveBack = Callable[[Any, bytes], bool]


class Connection(Protocol):
    """A connection whose requests are simple; with the first that is not, it goes back."""

    transport: Any

    def __init__(self, connections: "Connections") -> None:
        self._connections = connections
        self._exchange = Exchange(
            request_line=POST_SMS, shortcut=self._shortcut, heads=connections.heads, leave=self._leave
        )
        #: The API key that it came with; others are the daemon's to judge.
        self._key: bytes | None = None
        #: Whether anything came in since it was looked at.
        self.is_fresh = True

    def connectionMade(self) -> None:
        """Begin."""
        self._exchange.open(self.transport)
        self._connections.all.add(self)

    def dataReceived(self, data: bytes) -> None:
        """Take what came in."""
        self.is_fresh = True
        if self._exchange.code in _KEY_TROUBLE and not self._exchange.is_answering:
            # Who guesses keys is the daemon's to hold off, from the next request on.
            self._leave(self._exchange.rest() + data)
            return
        self._exchange.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget it."""
        self._connections.all.discard(self)

    def give_back(self) -> None:
        """Go back to the daemon, if nothing is being answered."""
        if not self._exchange.is_answering:
            self._leave(self._exchange.rest())

    def _shortcut(self, headers: Mapping[bytes, bytes], body: bytes, peer: Callable[[], Any], reply: Reply) -> None:
        key = headers.get(b"x-api-key")
        self._key = self._key or key
        ways = self._connections
        (ways.shortcut if key == self._key else ways.forward)(headers, body, peer, reply)

    def _leave(self, data: bytes) -> None:
        # What could not be written at once is still on its way out: such a connection cannot be passed on. To close it
        # between two answers is allowed (RFC 9112 9.6), and the request was not taken.
        self._connections.all.discard(self)
        if not self._exchange.is_direct or not self._connections.give_back(self.transport, data):
            self.transport.loseConnection()


class Connections(Factory):
    """All connections of an accept process."""

    noisy = False

    def __init__(self, *, shortcut: Shortcut, forward: Shortcut, heads: Heads, give_back: GiveBack) -> None:
        """``shortcut`` answers requests here, ``forward`` has the daemon answer them."""
        self.shortcut = shortcut
        self.forward = forward
        self.heads = heads
        self.give_back = give_back
        self.all: set[Connection] = set()

    def buildProtocol(self, address: IAddress | None) -> Connection:
        """The protocol of a new one."""
        return Connection(self)

    def sweep(self) -> None:
        """Give back those on which nothing came in since the last sweep: who waits long is the daemon's to judge."""
        for each in list(self.all):
            if not each.is_fresh:
                each.give_back()
            each.is_fresh = False

    def give_all_back(self) -> None:
        """Give back those on which nothing is under way."""
        for each in list(self.all):
            each.give_back()
