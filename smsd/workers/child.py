"""What the processes that help the daemon have in common, on their side."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from smsd.workers.link import Call, Link

#: The descriptors that the daemon gives: calls come in, calls go out, connections go either way.
CALLS_IN: Final = 3
CALLS_OUT: Final = 4
DOOR: Final = 5


@implementer(ILogObserver)
class Child(Protocol, ABC):
    """A process of the daemon's, as long as its pipe is open."""

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        #: Fires when there is nothing more to do.
        self.ended: Deferred[None] = Deferred()
        self._link = Link(clock=reactor, write=self._write, take=self._take)

    def dataReceived(self, data: bytes) -> None:
        """Take what the daemon says."""
        self._link.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The daemon is gone: nobody can keep anything any more."""
        if not self.ended.called:
            self.ended.callback(None)

    def __call__(self, event: LogEvent) -> None:
        """Pass on what the log should know: this process has none of its own."""
        if event["log_level"] >= LogLevel.warn:
            self._link.send(("trouble", eventAsText(event, includeTimestamp=False, includeSystem=False)))

    def run(self) -> Deferred[None]:
        """Serve until the daemon says so, or is gone."""
        StandardIO(self, stdin=CALLS_IN, stdout=CALLS_OUT, reactor=self._reactor)  # type: ignore[call-arg]  # mypy reads Windows' one
        globalLogPublisher.addObserver(self)
        # A terminal and systemd signal every process of a service: only the daemon decides.
        for each in (signal.SIGINT, signal.SIGTERM):
            self._reactor.callWhenRunning(partial(signal.signal, each, signal.SIG_IGN))
        return self.ended

    @abstractmethod
    def carry_out(self, call: Call) -> None:
        """Do what the daemon asks for."""

    def _leave(self) -> None:
        """End, with all that is to be said."""
        self._link.flush()
        self.transport.loseConnection()

    def _take(self, calls: list[Call]) -> None:
        for call in calls:
            self.carry_out(call)

    def _write(self, data: bytes) -> None:
        self.transport.write(data)


#: Makes a child on a reactor with the clocks of the wall (UTC epoch seconds) and of the machine (monotonic seconds).
Make = Callable[[Any, Callable[[], float], Callable[[], float]], Child]


def run(reactor: Any, make: Make, now: Callable[[], float], monotonic: Callable[[], float]) -> Deferred[None]:
    """Be the child that ``make`` makes."""
    reactor.seconds = monotonic
    return make(reactor, now, monotonic).run()
