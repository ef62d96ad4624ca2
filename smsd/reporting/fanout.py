"""Passes each notice to every reporter, none of which can delay or break anything."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from zope.interface import implementer

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.ports import IReporter
from smsd.reporting.guard import Guard
from smsd.reporting.outlet import Outlet

#: Seconds that all reporters together have at the end.
CLOSE_S: Final = 2.0


@implementer(IReporter)
class Fanout:
    """The one reporter that the rest of the daemon knows."""

    def __init__(
        self, *, direct: Mapping[str, IReporter], queued: Sequence[Outlet[Any]], monotonic: Callable[[], float]
    ) -> None:
        """``direct`` reporters, by name, are cheap and called at once; the others stand behind ``queued``.

        The outlets take notices, and belong to the fanout from here on. ``monotonic`` is in seconds.
        """
        self._direct: list[Guard] = []
        self._takers: dict[What, list[tuple[Guard, IReporter]]] = {what: [] for what in What}
        self._queued = queued
        self._monotonic = monotonic
        for name, reporter in direct.items():
            self.add(name, reporter)

    def add(self, name: str, reporter: IReporter, wants: Iterable[What] = What) -> None:
        """Pass notices of what it ``wants`` to one more cheap ``reporter``."""
        guard = Guard(name, self._monotonic)
        self._direct.append(guard)
        for what in wants:
            self._takers[what].append((guard, reporter))

    def start(self) -> None:
        """Begin to pass on to the queued ones; what was reported before has waited for this."""
        for each in self._queued:
            each.start()

    def report(self, notice: Notice) -> None:
        """See IReporter."""
        for guard, reporter in self._takers[notice.what]:
            guard.run(reporter.report, notice)
        for each in self._queued:
            each.put(notice)

    def drops(self) -> dict[str, int]:
        """How many notices each reporter did not get, by its name."""
        return {guard.name: guard.drops for guard in self._direct} | {
            each.guard.name: each.drops for each in self._queued
        }

    def close(self, within_s: float = CLOSE_S) -> None:
        """Pass on what waits and close every reporter, within ``within_s`` seconds altogether; blocks that long."""
        for each in self._queued:
            each.begin_close(within_s)
        for each in self._queued:
            each.finish_close()
