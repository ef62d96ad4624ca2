"""Answers the one request that has to be fast before twisted.web has taken it apart.

Most of the time that twisted.web spends on a small POST goes into objects that nobody asks for. A request for the
shortcut that comes alone, in the simplest form that HTTP/1.1 allows, is read by an Exchange and answered by the same
function that its Klein route calls. Whatever is unusual about a request (chunked, pipelined, an odd header, another
version) leaves it to twisted.web from its first octet on.
"""

from collections.abc import Callable
from typing import Any

from twisted.web.http import HTTPChannel, Request

from smsd.api.exchange import Exchange, Heads, Shortcut

#: Passes a connection, by its transport, to another process, with the octets that were read; False: it stays.
PassOn = Callable[[Any, bytes], bool]


class ShortcutChannel(HTTPChannel):
    """A connection that takes requests with one request line the short way."""

    transport: Any
    #: Whether twisted.web is between two requests, and has read nothing of the next one.
    _is_between = True

    def __init__(self, request_line: bytes, shortcut: Shortcut, heads: Heads, pass_on: PassOn) -> None:
        """``shortcut`` answers requests that begin with ``request_line``, unless somebody takes them by ``pass_on``."""
        super().__init__()
        self._give = pass_on
        self._exchange = Exchange(
            request_line=request_line, shortcut=shortcut, heads=heads, leave=self._leave, pass_on=self._pass_on
        )

    def connectionMade(self) -> None:
        """Begin."""
        super().connectionMade()
        self._exchange.open(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Take the short way if that can be done, and leave it to twisted.web otherwise."""
        if not self._is_between or not self.persistent:
            super().dataReceived(data)
            return
        self.resetTimeout()
        self._exchange.received(data)

    def requestDone(self, request: Request) -> None:
        """Note whether the next request may take the short way again."""
        self._is_between = not self._dataBuffer
        super().requestDone(request)

    def _leave(self, data: bytes) -> None:
        self._is_between = self._exchange.is_direct = False
        super().dataReceived(data)

    def _pass_on(self, data: bytes) -> bool:
        if not self._give(self.transport, data):
            return False
        self.setTimeout(None)  # it would close a connection that is not ours any more
        return True
