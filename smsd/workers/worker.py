"""The daemon's end of one accept process."""

import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.workers.desk import Desk
from smsd.workers.handover import Handover
from smsd.workers.link import Call, Link
from smsd.workers.process import CALLS_IN, CALLS_OUT, DOOR
from smsd.workers.terms import Terms

#: Seconds that one may take to answer what is under way once it is told to go.
STOP_S: Final = 10.0


class Worker(ProcessProtocol):
    """Starts an accept process, gives it connections, and does what it asks for."""

    transport: Any
    _log = Logger()

    def __init__(self, *, reactor: Any, terms: Terms, desk: Desk, factory: IProtocolFactory) -> None:
        """``factory`` builds the protocol of each connection that comes back."""
        self._reactor = reactor
        self._terms = terms
        self._desk = desk
        self._link = Link(clock=reactor, write=self._write, take=self._take)
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._handover = Handover(reactor=reactor, door=ours, factory=factory)
        self._is_stopping = self._has_ended = False
        #: Whether it takes connections.
        self.is_ready = False
        #: Calls that it made so far.
        self.calls = 0
        #: Fires when the process is gone.
        self.ended: Deferred[None] = Deferred()
        self._impatience: IDelayedCall | None = None

    def start(self) -> None:
        """Start the process."""
        pipes = {0: 0, 1: 1, 2: 2, CALLS_IN: "w", CALLS_OUT: "r", DOOR: self._theirs.fileno()}
        command = [sys.executable, "-m", "smsd.workers"]
        self._reactor.spawnProcess(self, sys.executable, command, env=os.environ, childFDs=pipes)
        self._theirs.close()
        self._handover.start()
        self._link.send(("begin", self._terms.written()))

    def give(self, transport: Any, data: bytes) -> bool:
        """Pass on a connection; see Handover.give."""
        return self.is_ready and self._handover.give(transport, data)

    def stop(self) -> None:
        """Tell the process to give back its connections and to go."""
        self.is_ready = False
        self._is_stopping = True
        self._link.send(("stop",))
        if self._impatience is None and not self._has_ended:
            self._impatience = self._reactor.callLater(STOP_S, self.transport.signalProcess, "KILL")

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803 - Twisted's name
        """Take what the process says."""
        self._link.received(data)

    def processEnded(self, reason: Failure) -> None:
        """Let go of what belongs to it."""
        self.is_ready = False
        self._has_ended = True
        self._handover.stop()
        if self._impatience is not None and self._impatience.active():
            self._impatience.cancel()
        if not self._is_stopping:
            self._log.warn("an accept process is gone: {why}", why=reason.getErrorMessage())
        self.ended.callback(None)

    def _write(self, data: bytes) -> None:
        if not self._has_ended:
            self.transport.writeToChild(CALLS_IN, data)

    def _take(self, calls: list[Call]) -> None:
        asked: list[Call] = []
        for call in calls:
            match call:
                case ("ready",):
                    self.is_ready = not self._is_stopping
                case "trouble", text:
                    self._log.error("in an accept process: {text}", text=text)
                case _:
                    asked.append(call)
        self.calls += len(asked)
        self._desk.take(asked, self._link.send)


#: Makes a worker, not yet started.
Hire = Callable[[], Worker]
