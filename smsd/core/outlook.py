"""Says when requests to a provider will go out, if nothing comes but what waits."""

import math
from typing import Final

import attrs

#: Seconds by which a tick may seem to be before the moment that it is for: after a start both are of the same beat.
CLOSE_S: Final = 0.002


@attrs.frozen(kw_only=True)
class Outlook:
    """How soon and how fast the provider can be given requests, as of a moment; all times are seconds from then.

    Each request needs a permit, which is back a while after it was used: a round is as many requests as there are
    permits. Beside that, each begins at a tick.
    """

    pace: float  #: requests a second in the long run
    round: int = 1  #: requests, after which the next has the permit of the first again
    first_s: float = 0.0  #: until the first of a round may go
    second_s: float = 0.0  #: until the second may, if there is one
    last_s: float = 0.0  #: until the last may
    tick_s: float = 0.0  #: until the next tick
    every_s: float = 0.0  #: between two ticks
    gains: tuple[tuple[float, float], ...] = ()  #: from when on there will be what pace: it was eased off

    def ticked(
        self, tick_s: float, every_s: float, *, held_s: float, is_waiting: bool, ahead_s: float = 0.0
    ) -> "Outlook":
        """The same with a tick in ``tick_s`` seconds and each ``every_s`` from then on.

        Nothing begins for ``held_s`` seconds. If one ``is_waiting`` for its permit, the next needs no tick. A permit is
        had ``ahead_s`` seconds before it may be used, as long as it takes to write that down.
        """
        ticked = attrs.evolve(self, tick_s=tick_s, every_s=every_s)
        begins_s = 0.0 if is_waiting and not held_s else ticked._tick_from(held_s)
        first_s = max(self.first_s, begins_s)
        # Who waited for his permit leaves between two ticks.
        is_between = first_s > begins_s
        tick_after_s = ticked._tick_from(first_s - max(ahead_s, CLOSE_S))
        follows_s = max(first_s, tick_after_s + ahead_s) if is_between else first_s + every_s
        second_s = max(self.second_s, follows_s)
        last_s = max(self.last_s, second_s + (self.round - 2) * every_s)
        return attrs.evolve(ticked, first_s=first_s, second_s=second_s, last_s=last_s)

    def wait_s(self, ahead: int) -> float:
        """Seconds until the request goes that has ``ahead`` others before it."""
        if self.gains:
            return self._gaining_s(ahead)
        rounds, rest = divmod(ahead, self.round)
        begin_s = self.first_s
        if rest:
            step_s = (self.last_s - self.second_s) / (self.round - 2) if rest > 1 else 0.0
            begin_s = self.second_s + (rest - 1) * step_s
        if rounds:
            begin_s = max(begin_s, self.first_s + rest * self.every_s)  # two at one moment are so but once
        return begin_s + rounds * self.round / self.pace

    def arrival_s(self, ahead: int, later_s: float, then: int) -> float:
        """Seconds until the request goes that has ``ahead`` others before it in line.

        If its time comes in ``later_s`` seconds only, it has ``then`` others before it whose time comes then as well.
        """
        wait_s = self.wait_s(ahead)
        return max(wait_s, self.wait_from_s(later_s, then)) if later_s > 0 else wait_s

    def wait_from_s(self, begin_s: float, ahead: int) -> float:
        """The same of a request whose time comes in ``begin_s`` seconds, together with that of those before it."""
        rounds, rest = divmod(ahead, self.round)
        later_s = self._tick_from(begin_s) + rest * self.every_s + rounds * self.round / self.pace
        return max(later_s, self.wait_s(ahead))

    def _tick_from(self, begin_s: float) -> float:
        if not self.every_s or begin_s <= self.tick_s:
            return max(begin_s, self.tick_s)
        return self.tick_s + math.ceil((begin_s - self.tick_s) / self.every_s) * self.every_s

    def _gaining_s(self, ahead: int) -> float:
        at_s, pace, left = self.first_s, self.pace, float(ahead)
        for gain_s, gained in self.gains:
            until_then = max(0.0, gain_s - at_s) * pace
            if left <= until_then:
                break
            at_s, pace, left = max(at_s, gain_s), gained, left - until_then
        return at_s + left / pace
