"""How much waits, and where everything else has come."""

from collections.abc import Mapping

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Priority
from smsd.core.turns import Counts


@attrs.frozen(kw_only=True)
class Standing:
    """What a spool holds at one moment."""

    depth: Mapping[tuple[State, Priority], int]  #: messages; what is missing is 0
    in_line: Counts  #: messages whose turn may come now
    recipients: int  #: of all that are queued
    firsts: Mapping[Priority, float]  #: UTC epoch seconds; since when the first in line of each is there, if one is

    @property
    def oldest(self) -> float | None:
        """Since when (UTC epoch seconds) the first of all in line is there; None when none is."""
        return min(self.firsts.values(), default=None)

    @property
    def states(self) -> dict[State, int]:
        """Messages in each state."""
        return {state: sum(count for (at, _), count in self.depth.items() if at is state) for state in State}
