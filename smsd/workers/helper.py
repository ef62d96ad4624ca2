"""The daemon's end of a process that helps it."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.workers.child import CALLS_IN, CALLS_OUT
from smsd.workers.link import Call, Link

#: Seconds that one may take to answer what is under way once it is told to go.
STOP_S: Final = 10.0


class Helper(ProcessProtocol, ABC):
    """Starts a process, says what it has to know, and hears what it has to say."""

    #: What it is, to ``python -m smsd.workers`` and to people.
    kind: ClassVar[str]
    name: ClassVar[str]
    transport: Any
    _log = Logger()

    def __init__(self, *, reactor: Any, stop_s: float = STOP_S) -> None:
        self._reactor = reactor
        self._stop_s = stop_s
        self._link = Link(clock=reactor, write=self._write, take=self._take)
        self._is_stopping = self._has_ended = False
        #: Whether it can be asked for something.
        self.is_ready = False
        #: Fires when the process is gone.
        self.ended: Deferred[None] = Deferred()
        self._impatience: IDelayedCall | None = None

    def _spawn(self, terms: Mapping[str, Any], more: Mapping[int, int] | None = None) -> None:
        """Start the process, with ``more`` descriptors of ours by theirs; it begins by ``terms``. Raises OSError."""
        pipes = {0: 0, 1: 1, 2: 2, CALLS_IN: "w", CALLS_OUT: "r", **(more or {})}
        command = [sys.executable, "-m", "smsd.workers", self.kind]
        self._reactor.spawnProcess(self, sys.executable, command, env=os.environ, childFDs=pipes)
        self._link.send(("begin", dict(terms)))

    def stop(self) -> None:
        """Tell the process to answer what is under way, and to go."""
        self.is_ready = False
        self._is_stopping = True
        self._link.send(("stop",))
        if self._impatience is None and not self._has_ended:
            self._impatience = self._reactor.callLater(self._stop_s, self.kill)

    def kill(self) -> None:
        """End the process at once, be it stopped or stuck."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803 - Twisted's name
        """Take what the process says."""
        self._link.received(data)

    def processEnded(self, reason: Failure) -> None:
        """Let go of what belongs to it."""
        self.is_ready = False
        self._has_ended = True
        self._gone()
        if self._impatience is not None and self._impatience.active():
            self._impatience.cancel()
        if not self._is_stopping:
            self._log.warn("{name} is gone: {why}", name=self.name, why=reason.getErrorMessage())
        self.ended.callback(None)

    @abstractmethod
    def answered(self, calls: list[Call]) -> None:
        """Take what was asked for, or is asked."""

    @abstractmethod
    def _gone(self) -> None:
        """Clean up once the process is gone."""

    def _write(self, data: bytes) -> None:
        if not self._has_ended:
            with suppress(KeyError):  # its pipe is closed, and its end will be told presently
                self.transport.writeToChild(CALLS_IN, data)

    def _take(self, calls: list[Call]) -> None:
        rest: list[Call] = []
        for call in calls:
            match call:
                case ("ready",):
                    self.is_ready = not self._is_stopping
                case "trouble", text:
                    self._log.error("{name} says: {text}", name=self.name, text=text)
                case _:
                    rest.append(call)
        if rest:
            self.answered(rest)
