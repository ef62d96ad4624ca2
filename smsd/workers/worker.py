"""The daemon's end of one accept process."""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocolFactory

from smsd.workers.child import DOOR
from smsd.workers.desk import Desk
from smsd.workers.handover import Handover
from smsd.workers.helper import Helper
from smsd.workers.link import Call
from smsd.workers.terms import Terms


class Worker(Helper):
    """Gives an accept process connections, and does what it asks for."""

    kind = "accept"
    name = "an accept process"

    def __init__(self, *, reactor: Any, terms: Terms, desk: Desk, factory: IProtocolFactory) -> None:
        """``factory`` builds the protocol of each connection that comes back."""
        super().__init__(reactor=reactor)
        self._terms = terms
        self._desk = desk
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._handover = Handover(reactor=reactor, door=ours, factory=factory)
        #: Calls that it made so far.
        self.calls = 0

    def start(self) -> None:
        """Start the process. Raises OSError: then there is none."""
        try:
            self._spawn(self._terms.written(), {DOOR: self._theirs.fileno()})
        except OSError:
            self._handover.stop()
            raise
        finally:
            self._theirs.close()
        self._handover.start()

    def give(self, transport: Any, data: bytes) -> bool:
        """Pass on a connection; see Handover.give."""
        return self.is_ready and self._handover.give(transport, data)

    def answered(self, calls: list[Call]) -> None:
        """Do what it asks for."""
        self.calls += len(calls)
        self._desk.take(calls, self._link.send)

    def _gone(self) -> None:
        self._handover.stop()


#: Makes a worker, not yet started.
Hire = Callable[[], Worker]
