"""Says how many have their time together with a message, and go before it then."""

from collections import Counter
from collections.abc import Callable, Sequence

from smsd.core.turns import TOGETHER_S, Counts, Line, ahead
from smsd.spool import record


class Crowds:
    """The crowds that new messages join while they are written down; for one transaction."""

    def __init__(self, due: Callable[[float], Counts]) -> None:
        """``due`` counts, by line, the messages in the spool whose time comes within TOGETHER_S up to one."""
        self._due = due
        self._known: dict[float, Counter[Line]] = {}

    def join(self, rows: Sequence[record.Row]) -> int:
        """Add ``rows`` to the crowd of the last of them; how many go before that at its time, 0 if all are due."""
        later = [row for row in rows if row[-1] == 0]
        if not later:
            return 0
        last = max(later, key=lambda row: (record.not_before(row), record.line(row)))
        at, line = record.not_before(last), record.line(last)
        if at not in self._known:
            self._known[at] = Counter(self._due(at))
        crowd = self._known[at]
        crowd.update(record.line(row) for row in later if record.not_before(row) > at - TOGETHER_S)
        return ahead(crowd, line, crowd[line] - 1)
