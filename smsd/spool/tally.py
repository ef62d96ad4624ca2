"""Counts messages as they come and go, so that nobody has to scan for it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

import attrs

from smsd.core.errors import SpoolFull
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.core.turns import Counts, Line
from smsd.spool import record

#: Places in a stretch, as a power of two: to count what of a line is in one takes half a millisecond at most.
STRETCH_BITS: Final = 14

#: By line and number of the stretch: how many messages of the line have their place in it; no zeros.
Stretches = Mapping[Line, Mapping[int, int]]


@attrs.frozen(kw_only=True)
class Tally:
    """How many messages there are. Replaced after a commit, never changed: any thread may read it."""

    depth: Mapping[tuple[State, Priority], int]
    in_line: Counts  #: queued, and their time has come; no zeros
    recipients: int  #: of all that are queued
    stretches: Stretches = attrs.field(factory=dict)  #: of those in line; empty where places are not known


class Draft:
    """A tally with the changes of a transaction that is not committed yet."""

    def __init__(self, tally: Tally) -> None:
        self.depth = Counter(tally.depth)
        self.in_line = Counter(tally.in_line)
        self.recipients = tally.recipients
        #: The place of the next message that is inserted, where that is known.
        self.next_place: int | None = None
        self._stretches = tally.stretches
        self._moved: list[tuple[Line, int, int]] = []  # a line, how many more in it, a place of theirs

    def add(self, message: Message, count: int = 1, *, seq: int | None = None, is_in_line: bool | None = None) -> None:
        """Count ``count`` more like ``message``, with the place ``seq`` if that is known.

        Whether its time has come is read off it unless it is told.
        """
        self.depth[message.state, message.priority] += count
        if message.state is not State.QUEUED:
            return
        self.recipients += count * len(message.recipients)
        if record.is_ready(message) if is_in_line is None else is_in_line:
            self.line(message.line, count, seq)

    def queue(self, new: record.Counted) -> None:
        """Count what waits of what is ``new``: whoever comes after it stands behind it."""
        for (state, line, is_ready), count in new.where:
            if state is State.QUEUED and is_ready:
                self.in_line[line] += count
        self.recipients += new.waiting

    def keep(self, rows: Sequence[record.Row]) -> None:
        """Count ``rows``, which are counted where they wait, with their places if ``next_place`` is known."""
        first, begin = self.next_place, 0
        while begin < len(rows):
            end, seq = len(rows), None
            if first is not None:  # a stretch at a time
                seq = first + begin
                end = min(end, (((seq >> STRETCH_BITS) + 1) << STRETCH_BITS) - first)
            for (state, line, is_ready), count in record.places(rows[begin:end]):
                self.depth[state, line[0]] += count
                if state is State.QUEUED and is_ready and seq is not None:
                    self._moved.append((line, count, seq))
            begin = end
        if first is not None:
            self.next_place = first + len(rows)

    def line(self, line: Line, count: int, seq: int | None = None) -> None:
        """Count ``count`` more in ``line``, with the place ``seq`` if that is known."""
        self.in_line[line] += count
        if not self.in_line[line]:
            del self.in_line[line]
        if seq is not None:
            self._moved.append((line, count, seq))

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
        return Tally(
            depth=self.depth, in_line=self.in_line, recipients=self.recipients, stretches=self._stretches_then()
        )

    def _stretches_then(self) -> Stretches:
        then, changed = dict(self._stretches), set[Line]()
        # By turns: to look a line up costs more than to see that it is that of the message before.
        for line, moved in groupby(self._moved, key=itemgetter(0)):
            counts = dict(then.get(line, {}))
            for _, count, seq in moved:
                stretch = seq >> STRETCH_BITS
                counts[stretch] = counts.get(stretch, 0) + count
            then[line] = {stretch: count for stretch, count in counts.items() if count}
            changed.add(line)
        for line in changed:
            if not then[line]:
                del then[line]
        return then
