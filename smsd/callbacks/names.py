"""Finds the addresses of receivers in threads of its own."""

import socket
from collections.abc import Sequence
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorFromThreads, IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import Interface, implementer

#: A thread is lost to a dead name server for half a minute and more, so there are as many as callbacks at a time.
THREADS: Final = 20


class Unresolved(ConnectError):
    """The receiver's name leads to no address."""


class INames(Interface):
    """Knows the addresses behind names."""

    async def addresses(host: str) -> Sequence[str]:  # noqa: N805
        """Every IPv4 and IPv6 address of ``host`` (a name or an address), best first. Raises Unresolved."""


class INamesReactor(IReactorThreads, IReactorFromThreads):
    """What finding addresses needs of a reactor."""


@implementer(INames)
class SystemNames:
    """Asks the system's resolver, which blocks, in ``threads`` threads that nothing else waits for."""

    def __init__(self, reactor: INamesReactor, *, threads: int = THREADS) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="callback-names")

    def start(self) -> None:
        """Make ready; without it nothing is ever found."""
        self._pool.start()

    async def close(self) -> None:
        """Wait for the look-ups under way, at most as long as the system's resolver takes, and end the threads."""
        await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._pool.stop)

    async def addresses(self, host: str) -> Sequence[str]:
        """See INames."""
        given_up: list[bool] = []
        looking: Deferred[list[str]] = deferToThreadPool(self._reactor, self._pool, _look_up, host, given_up)
        try:
            found = await looking
        finally:
            given_up.append(True)
        if not found:
            raise Unresolved
        return found


def _look_up(host: str, given_up: Sequence[bool]) -> list[str]:
    # Behind a dead name server many wait whose caller has long gone: those would only hold up the others.
    if given_up:
        return []
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]
