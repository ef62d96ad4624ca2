"""Counts messages as they come and go, so that nobody has to scan for it."""

from collections.abc import Mapping

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.spool.record import is_ready


@attrs.frozen(kw_only=True)
class Tally:
    """How many messages there are. Replaced after a commit, never changed: any thread may read it."""

    states: Mapping[State, int]
    in_line: Mapping[Priority, int]  #: queued, and their time has come

    def plus(self, message: Message, count: int, is_in_line: bool | None = None) -> "Tally":
        """With ``count`` more like ``message``; whether its time has come is read off it unless it is told."""
        states = {**self.states, message.state: self.states[message.state] + count}
        if message.state is not State.QUEUED or not (is_ready(message) if is_in_line is None else is_in_line):
            return attrs.evolve(self, states=states)
        return Tally(states=states, in_line={**self.in_line, message.priority: self.in_line[message.priority] + count})

    def ahead_of(self, message: Message) -> int:
        """How many are in line before ``message`` if it joins now."""
        return sum(self.in_line[priority] for priority in Priority if priority <= message.priority)
