"""Knows the provider's mood: holds all sending while it takes nothing, and probes whether it does again."""

import enum
import math
from collections.abc import Callable
from typing import Final, assert_never

from twisted.internet.interfaces import IReactorTime

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.outcome import (
    Accepted,
    HeldOff,
    Outcome,
    PartlyRefused,
    Postponed,
    Refused,
    Spared,
    Throttled,
    Unanswered,
)
from smsd.core.retry import Backoff
from smsd.ports import IReporter

#: Failures without a success between them that are no longer put down to the single message,
IN_A_ROW: Final = 5
#: and the seconds that the first of them must be past: many messages may fail once each, and a provider that is away
#: is away for longer.
FAILING_S: Final = 5.0
#: Seconds, the longest wait between two probes of a provider that may be well again by itself.
STEP_CAP_S: Final = 3.0


class Mood(enum.IntEnum):
    """What the provider does with us; the worst last."""

    WELL = 0
    THROTTLED = 1  #: it wants fewer requests: it said 429
    FAILING = 2  #: several requests in a row met no connection, no answer or a 5xx
    HELD = 3  #: it takes nothing until a person acts: wrong key, no balance


class Hold:
    """Closed from an answer that any message would have met until a message is taken or refused for itself.

    While it is closed one request at a time may probe: at the time that the provider named, or after a wait that
    doubles with each probe that fails.
    """

    def __init__(
        self,
        *,
        backoff: Backoff,
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
        gateway: str = "",
    ) -> None:
        """``gateway`` is the name that notices give."""
        self._backoff = backoff
        self._clock = clock
        self._now = now
        self._reporter = reporter
        self._gateway = gateway
        self._in_a_row = 0
        self._failing_since = math.inf
        self._steps = 0
        self._closed_at = 0.0
        self._troubled_at = 0.0
        self._probe_at = 0.0
        self.mood = Mood.WELL
        #: Why nothing is sent, in words fit for a log; empty while all is well or will be well by itself (a 429).
        self.reason = ""

    @property
    def probe_at(self) -> float | None:
        """When the next probe may go (UTC epoch seconds); None while all is well."""
        return None if self.mood is Mood.WELL else self._now() + self._probe_at - self._clock.seconds()

    @property
    def overdue_s(self) -> float:
        """Seconds for which a probe might have gone; 0 while all is well."""
        return 0.0 if self.mood is Mood.WELL else max(0.0, self._clock.seconds() - self._probe_at)

    @property
    def wait_s(self) -> float:
        """Seconds until the next probe may go; 0 while all is well."""
        return 0.0 if self.mood is Mood.WELL else max(0.0, self._probe_at - self._clock.seconds())

    @property
    def troubled_s(self) -> float:
        """For how long it has been failing or held, in seconds; 0 while it is well, or only wants fewer requests."""
        return 0.0 if self.mood < Mood.FAILING else self._clock.seconds() - self._troubled_at

    def lets_start(self, in_flight: int) -> bool:
        """Whether a send may start now, with ``in_flight`` others begun."""
        if self.mood is Mood.WELL:
            return True
        return in_flight == 0 and self._clock.seconds() >= self._probe_at

    def note(self, outcome: Outcome, begun_at: float) -> bool:
        """Learn from the outcome of a request that went out at ``begun_at`` (monotonic seconds).

        The answer is whether a wait begins with it: one that was in flight when it closed only adds to what is known.
        """
        match outcome:
            case Accepted() | Refused() | PartlyRefused() | Spared():
                self._in_a_row, self._failing_since = 0, math.inf
                # One that was in flight tells nothing of the wait that was asked for, or of the key since.
                if self.mood is Mood.FAILING or not self._was_in_flight(begun_at):
                    self._open()
                return False
            case HeldOff(reason=reason):
                return self._close(Mood.HELD, reason, begun_at)
            case Throttled(reason=reason, retry_after_s=retry_after_s):
                return self._close(Mood.THROTTLED, reason, begun_at, retry_after_s)
            case Postponed(reason=reason) | Unanswered(reason=reason):
                self._in_a_row += 1
                self._failing_since = min(self._failing_since, self._clock.seconds())
                if self._in_a_row >= IN_A_ROW and self._clock.seconds() - self._failing_since >= FAILING_S:
                    return self._close(Mood.FAILING, reason, begun_at)
                return self.mood is not Mood.WELL and self._close(self.mood, reason, begun_at)
        assert_never(outcome)

    def _was_in_flight(self, begun_at: float) -> bool:
        """Whether what went out at ``begun_at`` was under way when this closed."""
        return self.mood is not Mood.WELL and begun_at <= self._closed_at

    def _close(self, mood: Mood, reason: str, begun_at: float, asked_s: float | None = None) -> bool:
        now = self._clock.seconds()
        is_step = not self._was_in_flight(begun_at)
        if self.mood is Mood.WELL:
            self._closed_at = now
        if is_step:
            self._steps += 1
            cap_s = math.inf if max(mood, self.mood) is Mood.HELD else STEP_CAP_S
            wait_s = min(cap_s, self._backoff.delay_s(self._steps, 1.0)) if asked_s is None else asked_s
            self._probe_at = now + wait_s
        elif asked_s is not None:
            self._probe_at = max(self._probe_at, now + asked_s)
        if mood > self.mood:
            if self.mood < Mood.FAILING:
                self._troubled_at = now
            self.mood = mood
            self._shout(reason)
        return is_step

    def _shout(self, reason: str) -> None:
        if self.mood is not Mood.THROTTLED:
            self.reason = reason
            self._reporter.report(Notice(what=What.HELD, at=self._now(), detail=reason, gateway=self._gateway))

    def _open(self) -> None:
        if self.reason:
            self._reporter.report(Notice(what=What.RELEASED, at=self._now(), gateway=self._gateway))
        self._steps = 0
        self.mood = Mood.WELL
        self.reason = ""
