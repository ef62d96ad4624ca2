"""Counts messages as they come and go, so that nobody has to scan for it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from smsd.core.errors import SpoolFull
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.core.turns import Counts
from smsd.spool import record


@attrs.frozen(kw_only=True)
class Tally:
    """How many messages there are. Replaced after a commit, never changed: any thread may read it."""

    depth: Mapping[tuple[State, Priority], int]
    in_line: Counts  #: queued, and their time has come; no zeros
    recipients: int  #: of all that are queued


class Draft:
    """A tally with the changes of a transaction that is not committed yet."""

    def __init__(self, tally: Tally) -> None:
        self.depth = Counter(tally.depth)
        self.in_line = Counter(tally.in_line)
        self.recipients = tally.recipients

    def add(self, message: Message, count: int = 1, is_in_line: bool | None = None) -> None:
        """Count ``count`` more like ``message``; whether its time has come is read off it unless it is told."""
        self.depth[message.state, message.priority] += count
        if message.state is not State.QUEUED:
            return
        self.recipients += count * len(message.recipients)
        if record.is_ready(message) if is_in_line is None else is_in_line:
            self.line(message.priority, message.api_key, count)

    def add_rows(self, rows: Sequence[record.Row]) -> None:
        """Count the messages in ``rows`` as well."""
        for (state, line, is_ready), count in record.counted(rows):
            self.depth[state, line[0]] += count
            if state is State.QUEUED and is_ready:
                self.in_line[line] += count
        self.recipients += sum([record.recipients(row) for row in rows if record.state(row) is State.QUEUED])

    def line(self, priority: Priority, api_key: str, count: int) -> None:
        """Count ``count`` more in line."""
        self.in_line[priority, api_key] += count
        if not self.in_line[priority, api_key]:
            del self.in_line[priority, api_key]

    def full(self, asked: int, limit: int) -> SpoolFull:
        """What refuses ``asked`` recipients where no more than ``limit`` may be queued."""
        return SpoolFull(
            waiting=self.recipients,
            asked=asked,
            limit=limit,
            messages=sum(self.depth[State.QUEUED, priority] for priority in Priority),
            in_line=sum(self.in_line.values()),
        )

    def since(self, tally: Tally) -> Tally:
        """What there is more of, or less, than in ``tally``; no zeros."""
        depth, in_line = Counter(self.depth), Counter(self.in_line)
        depth.subtract(tally.depth)
        in_line.subtract(tally.in_line)
        return Tally(
            depth={place: count for place, count in depth.items() if count},
            in_line={line: count for line, count in in_line.items() if count},
            recipients=self.recipients - tally.recipients,
        )

    def tally(self) -> Tally:
        """The tally once the changes are committed."""
        return Tally(depth=self.depth, in_line=self.in_line, recipients=self.recipients)
