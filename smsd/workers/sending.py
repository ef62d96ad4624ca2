"""The process that asks a provider, where so many requests are to go that their threads would hold up the rest."""

import ctypes
import os
import pickle
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.collecting import collect_rarely
from smsd.core.outcome import Outcome, Unanswered
from smsd.gateway.access import Access
from smsd.spool import record
from smsd.workers.child import Child
from smsd.workers.link import Call

#: linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1


class SendProcess(Child):
    """Takes messages to a gateway of its own, and says what came of each request."""

    _log = Logger()

    def __init__(self, reactor: Any, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        """``now`` is UTC epoch seconds, ``monotonic`` is in seconds, the same as the daemon's."""
        super().__init__(reactor)
        self._now = now
        self._monotonic = monotonic
        self._is_stopping = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The daemon is gone: the next one must not have its messages sent by us as well."""
        if not self._is_stopping:
            os._exit(1)  # not waiting for threads that may be about to ask the provider
        super().connectionLost(reason)

    def carry_out(self, call: Call) -> None:
        """Do what the daemon asks for."""
        match call:
            case "begin", terms:
                access = Access(**terms)
                self._gateway = access.gateway(reactor=self._reactor, now=self._now, monotonic=self._monotonic)
                self._gateway.start()
                collect_rarely()
                self._link.send(("ready",))
            case "send", number, rows, by:
                sending = Deferred.fromCoroutine(self._send(rows, by))
                _ = sending.addErrback(self._broke, len(rows)).addCallback(self._sent, number)
            case ("stop",):
                _ = Deferred.fromCoroutine(self._stop())
            case _:
                raise ValueError(call[0])

    async def _send(self, rows: Sequence[record.Row], by: float) -> Sequence[Outcome]:
        messages = [record.from_row(row[: len(record.FIELDS)]) for row in rows]
        if len(messages) > 1:
            outcomes: Sequence[Outcome] = await self._gateway.send_together(messages, by)
            return outcomes
        return [await self._gateway.send(messages[0], by)]

    def _broke(self, failure: Failure, size: int) -> Sequence[Outcome]:
        self._log.failure("a request to the provider broke", failure)
        return [Unanswered(reason="the sending process could not send it", late=True)] * size  # nobody knows how far

    def _sent(self, outcomes: Sequence[Outcome], number: int) -> None:
        self._link.send(("sent", number, pickle.dumps(outcomes)))

    async def _stop(self) -> None:
        self._is_stopping = True
        await self._gateway.close()
        self._leave()


def _die_with_the_daemon() -> None:
    """Have the kernel kill this process the moment the daemon dies, be it stopped or busy (prctl(2); Linux only)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def make(reactor: Any, now: Callable[[], float], monotonic: Callable[[], float]) -> SendProcess:
    """The process; see SendProcess."""
    _die_with_the_daemon()
    return SendProcess(reactor, now, monotonic)
