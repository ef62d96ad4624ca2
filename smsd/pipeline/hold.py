"""Holds all sending while the provider takes nothing from us, and probes whether it does again."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.outcome import HeldOff, Outcome
from smsd.core.retry import Backoff
from smsd.ports import IReporter


class Hold:
    """Closed from the first answer that would fail every message until one that would not.

    While it is closed one request at a time may probe, each after a longer wait.
    """

    def __init__(self, *, backoff: Backoff, clock: IReactorTime, now: Callable[[], float], reporter: IReporter) -> None:
        self._backoff = backoff
        self._clock = clock
        self._now = now
        self._reporter = reporter
        self._failures = 0
        self._probe_at = 0.0
        #: Why nothing is sent, in words fit for a log; empty while all is well.
        self.reason = ""

    def lets_start(self, in_flight: int) -> bool:
        """Whether a send may start now, with ``in_flight`` others begun."""
        if not self._failures:
            return True
        return in_flight == 0 and self._clock.seconds() >= self._probe_at

    def note(self, outcome: Outcome) -> None:
        """Learn from the outcome of a send."""
        if isinstance(outcome, HeldOff):
            self._close(outcome.reason)
        elif self._failures:
            self._failures = 0
            self.reason = ""
            self._reporter.report(Notice(what=What.RELEASED, at=self._now()))

    def _close(self, reason: str) -> None:
        if self._failures and self._clock.seconds() < self._probe_at:
            return  # was in flight when the first one failed
        self._failures += 1
        self._probe_at = self._clock.seconds() + self._backoff.delay_s(self._failures, 1.0)
        if self._failures == 1:  # shout once
            self.reason = reason
            self._reporter.report(Notice(what=What.HELD, at=self._now(), detail=reason))
