"""Counts, minute by minute, what was accepted, sent and given up."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from zope.interface import implementer

from smsd.core.lifecycle import State
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.ports import IReporter

#: Minutes that are remembered: a day.
KEPT: Final = 24 * 60
#: Seconds over which the pace that is used is taken.
PACE_S: Final = 60

#: What of a dead message is no news of its death.
_NOT_DEATH: Final = frozenset({What.CALLBACK_FAILED, What.FAULT})
#: What History wants to be told.
WANTED: Final = frozenset(What) - _NOT_DEATH


@attrs.frozen(kw_only=True)
class Span:
    """What happened in some minutes."""

    accepted: int = 0
    sent: int = 0
    dead: int = 0

    def __add__(self, other: "Span") -> "Span":
        return Span(accepted=self.accepted + other.accepted, sent=self.sent + other.sent, dead=self.dead + other.dead)


@implementer(IReporter)
class History:
    """A reporter that remembers a day of counts; of this process only, and lost with it."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now`` is in UTC epoch seconds."""
        self._now = now
        #: UTC epoch seconds; nothing is known of before.
        self.since = now()
        self._minutes: OrderedDict[int, Span] = OrderedDict()
        self._attempts: OrderedDict[int, int] = OrderedDict()

    def report(self, notice: Notice) -> None:
        """See IReporter."""
        if notice.what is What.ATTEMPT:
            second = int(self._now())
            self._attempts[second] = self._attempts.get(second, 0) + 1
            _forget(self._attempts, second - PACE_S)
        elif (counted := _counted(notice)) is not None:
            minute = int(self._now() // 60)
            self._minutes[minute] = self._minutes.get(minute, Span()) + counted
            _forget(self._minutes, minute - KEPT)

    def pace(self) -> float:
        """Requests a second that went to the provider over the last minute."""
        second = int(self._now())
        count = sum(count for at, count in self._attempts.items() if second - PACE_S <= at < second)
        # Before a minute has passed, what was sent is not spread over one.
        return count / max(1.0, min(PACE_S, second - self.since))

    def known(self, each: int = 1) -> int:
        """Of how many of the last spans of ``each`` minutes, the running one among them, something is known."""
        return math.ceil((self._now() // 60 - self.since // 60 + 1) / each)

    def spans(self, minutes: int, each: int = 1) -> Sequence[Span]:
        """The last ``minutes``, the running one last, in spans of ``each`` minutes, oldest first."""
        last = int(self._now() // 60)
        starts = range(last - minutes + 1, last + 1, each)
        return [sum((self._minutes.get(start + n, Span()) for n in range(each)), Span()) for start in starts]


def _counted(notice: Notice) -> Span | None:
    if notice.what is What.ACCEPTED:
        return Span(accepted=notice.count)
    if notice.message is None:
        return None
    if notice.what in (What.SENT, What.FOUND):
        return Span(sent=1)
    if notice.message.state is State.DEAD and notice.what not in _NOT_DEATH:
        return Span(dead=1)
    return None


def _forget(kept: OrderedDict[int, Any], before: int) -> None:
    while kept and next(iter(kept)) < before:
        _ = kept.popitem(last=False)
