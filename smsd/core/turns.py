"""Says whose turn it is among the messages in line.

The one rule: the best priority goes first; within it the API keys take turns, each with its oldest message. Every tenth
turn goes to whatever has been in line longest, if that is longer than the ageing time: so nothing starves, and what
is urgent still has nine turns in ten.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from smsd.core.message import Message, Priority
from smsd.core.outlook import Outlook
from smsd.core.quota import Usage

#: Seconds in line after which a message rises, unless set otherwise.
AGEING_S: Final = 600.0
#: Messages whose times are no further apart than so many seconds count as scheduled together.
TOGETHER_S: Final = 1.0
#: One turn in so many is for what has waited longest.
RISING: Final = 10

#: The messages in line of one priority and one API key, the oldest first; read no further than needed.
Lines = Mapping[tuple[Priority, str], Iterator[Message]]


#: A line: a priority and the name of an API key.
Line = tuple[Priority, str]

#: How many messages are in each line.
Counts = Mapping[Line, int]


@attrs.frozen(kw_only=True)
class Place:
    """Where one message, or those that are kept together, stand in line."""

    first: int  #: how many go before the first of them, if nothing else comes
    last: int  #: how many go before the last to go
    then: int = 0  #: how many go before the last whose time has not come, at its time, of those that it comes for then
    outlook: Outlook | None = None  #: as of then, of whoever sends them; None: as whoever asked knows it
    usages: tuple[Usage, ...] = ()  #: what their API key has used of its quotas, with them


#: Whose turn was last, of each priority.
Last = Mapping[Priority, str]

#: Nothing.
_NONE: Final[Counts] = {}
_NOBODY: Final[Last] = {}


def place(counts: Counts, first: Line, joining: Counts, taken: Counts = _NONE, last: Last = _NOBODY) -> Place:
    """Where messages, all of one API key, come in when as many as in ``joining`` join lines of ``counts``.

    The one of them that is asked for first joins ``first``. ``taken`` is how many of those in line are on their way out
    already, ``last`` whose turn was last.
    """
    if not joining:
        return Place(first=0, last=0)
    here = ahead(counts, first, counts.get(first, 0), taken, last)
    if joining == {first: 1}:
        return Place(first=here, last=here)
    slowest = max(joining)
    joined = Counter(counts)
    joined.update(joining)
    return Place(first=here, last=ahead(joined, slowest, joined[slowest] - 1, taken, last))


def ahead(counts: Counts, line: Line, before: int, taken: Counts = _NONE, last: Last = _NOBODY) -> int:
    """How many go before a message in ``line`` if nothing else comes, ``before`` of them being of the same line.

    It is not among the ``taken``, of which each goes before it, whatever its line; ``last`` says whose turn was last.
    """
    own, key = line
    before = max(0, before - taken.get(line, 0))
    total = before + (sum(taken.values()) if taken else 0)
    for other, count in counts.items():
        priority, api_key = other
        if priority < own:
            total += max(0, count - taken.get(other, 0))
        elif priority == own and api_key != key:
            # Each other key has a turn for each of ours, as long as it has a message for it.
            had = last.get(own, "")
            turns = before + (_turn(api_key, had) < _turn(key, had))
            total += min(max(0, count - taken.get(other, 0)), turns)
    return total


def _turn(api_key: str, last: str) -> tuple[bool, str]:
    """Sorts API keys by their turns when that of ``last`` is over."""
    return api_key <= last, api_key


class Turns:
    """Remembers whose turn was last."""

    def __init__(self, ageing_s: float) -> None:
        """What is in line for ``ageing_s`` seconds rises."""
        self._ageing_s = ageing_s
        self._count = 0
        #: By priority, the API key that had it; another thread may look.
        self.last: dict[Priority, str] = {}

    def pick(self, lines: Lines, now: float, limit: int) -> list[Message]:
        """The next ``limit`` messages of ``lines`` at ``now`` (UTC epoch seconds), in the order of their turns."""
        left = {place: _Line(line) for place, line in lines.items()}
        picked: list[Message] = []
        while len(picked) < limit and (message := self._risen(left, now) or self._best(left)) is not None:
            picked.append(message)
            self._count += 1
        return picked

    def _risen(self, lines: Mapping[tuple[Priority, str], "_Line"], now: float) -> Message | None:
        if self._count % RISING != RISING - 1:
            return None
        waiting = [(line.head.in_line_since, line) for line in lines.values() if line.head is not None]
        since, oldest = min(waiting, key=lambda each: each[0], default=(now, None))
        return oldest.take() if oldest is not None and now - since >= self._ageing_s else None

    def _best(self, lines: dict[tuple[Priority, str], "_Line"]) -> Message | None:
        for priority in Priority:
            last = self.last.get(priority, "")
            keys = [api_key for ours, api_key in lines if ours is priority]
            for api_key in sorted(keys, key=lambda key: _turn(key, last)):
                if (message := lines[priority, api_key].take()) is not None:
                    self.last[priority] = api_key
                    return message
                del lines[priority, api_key]
        return None


class _Line:
    """A line of which the first can be looked at."""

    def __init__(self, messages: Iterator[Message]) -> None:
        self._messages = messages
        self._taken = True
        self._head: Message | None = None

    @property
    def head(self) -> Message | None:
        if self._taken:
            self._taken, self._head = False, next(self._messages, None)
        return self._head

    def take(self) -> Message | None:
        head = self.head
        self._taken = True
        return head
