"""Passes open connections from one process to another."""

import os
import socket
from typing import Any, Final, cast

from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorFDSet,
    IReactorSocket,
    IReadDescriptor,
)
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

#: Octets of a connection that were read and can go with it: what Linux lets into one message, nearly. A request that
#: is read here is no longer than a third of that, and at most so much again has come in behind it.
MOST: Final = 196_608
#: Connections that are taken at once, before others have their turn.
_AT_ONCE: Final = 32
#: Stands before the octets, since no descriptor goes without one.
_MARK: Final = b"\x00"


class IHandoverReactor(IReactorFDSet, IReactorSocket):
    """What a handover needs of a reactor."""


@implementer(IReadDescriptor)
class Handover:
    """One end of a pair of local sockets, over which connections go either way."""

    _log = Logger()

    def __init__(self, *, reactor: IHandoverReactor, door: socket.socket, factory: IProtocolFactory) -> None:
        """``factory`` builds the protocol of each connection that comes through ``door``, a SOCK_SEQPACKET socket."""
        door.setblocking(False)
        self._reactor = reactor
        self._door = door
        self._factory = factory
        self._built: IProtocol | None = None

    def start(self) -> None:
        """Begin to take connections."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Take and give no more."""
        self._reactor.removeReader(self)
        self._door.close()

    def give(self, transport: Any, data: bytes) -> bool:
        """Pass the connection of ``transport``, TCP and with nothing left to write, and the ``data`` read from it.

        False if that cannot be done now; otherwise ``transport`` is dead, and its protocol is told nothing more.
        """
        if len(data) > MOST:
            return False
        handle = transport.getHandle()
        try:
            socket.send_fds(self._door, [_MARK + data], [handle.fileno()])
        except OSError:
            return False
        transport.stopReading()
        transport.stopWriting()
        handle.close()  # without a shutdown: the other process has it now
        return True

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._door.fileno()

    def logPrefix(self) -> str:
        """What Twisted calls it."""
        return "smsd handover"

    def connectionLost(self, reason: Failure) -> None:
        """The other process is gone."""

    def doRead(self) -> Failure | None:
        """Take the connections that wait."""
        for _ in range(_AT_ONCE):
            try:
                data, descriptors, flags, _ = socket.recv_fds(self._door, len(_MARK) + MOST, 1)
            except BlockingIOError:
                return None
            except OSError:
                return Failure(CONNECTION_DONE)
            if not data:
                return Failure(CONNECTION_DONE)
            for descriptor in descriptors:
                if flags & socket.MSG_TRUNC:  # it would go on in the middle of a request
                    os.close(descriptor)
                else:
                    self._adopt(descriptor, data[len(_MARK) :])
        return None

    def buildProtocol(self, address: IAddress) -> IProtocol | None:
        """Build the protocol of a connection that came."""
        self._built = self._factory.buildProtocol(address)
        return self._built

    def doStart(self) -> None:
        """Nothing; see IProtocolFactory."""

    def doStop(self) -> None:
        """Nothing; see IProtocolFactory."""

    def _adopt(self, descriptor: int, data: bytes) -> None:
        probe = socket.socket(fileno=descriptor)
        family = probe.family
        _ = probe.detach()
        try:
            self._reactor.adoptStreamConnection(descriptor, family, self)  # type: ignore[arg-type]
        except OSError:  # the client left while it was on its way, or no descriptor is left: his connection ends
            return
        finally:
            os.close(descriptor)
        built, self._built = self._built, None
        if built is None or not data:
            return
        try:
            built.dataReceived(data)
        except Exception:  # noqa: BLE001 - as the reactor does it: this connection ends, and all others go on
            self._log.failure("a connection that was passed on broke")
            cast(Any, built).transport.abortConnection()
