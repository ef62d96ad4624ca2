"""Knows what this process leases."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from smsd.core.lifecycle import State
from smsd.core.turns import Counts, Line
from smsd.ports import Lease


class Leases(Collection[str]):
    """The ids of the messages that are leased; any thread may ask, one at a time changes it."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        #: By id: the line that a message is at the head of. What is leased goes next, whatever comes.
        self._lines: dict[str, Line] = {}

    def __contains__(self, id: object) -> bool:
        return id in self._tokens

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def tokens(self) -> dict[str, int]:
        """The token of every lease, by message id."""
        return self._tokens.copy()

    def add(self, leases: Sequence[Lease]) -> None:
        """Hold ``leases`` too."""
        self._tokens.update((lease.message.id, lease.token) for lease in leases)
        queued = (lease.message for lease in leases if lease.message.state is State.QUEUED)
        self._lines.update((message.id, message.line) for message in queued)

    def holds(self, lease: Lease) -> bool:
        """Whether ``lease`` is held still."""
        return self._tokens.get(lease.message.id) == lease.token

    def begin(self, lease: Lease) -> None:
        """Its message is in line no more, but being sent."""
        if self.holds(lease):
            self.leave(lease.message.id)

    def leave(self, id: str) -> None:
        """The message ``id`` is in line no more, though somebody may lease it still."""
        self._lines.pop(id, None)

    def end(self, lease: Lease) -> None:
        """Hold ``lease`` no more, if it is held."""
        if self.holds(lease):
            self._forget(lease.message.id)

    def keep(self, is_held: Callable[[str], bool]) -> None:
        """Hold only those of the ids that ``is_held``."""
        for id in [id for id in self._tokens if not is_held(id)]:
            self._forget(id)

    def next(self) -> Counts:
        """How many of each line are leased: they go before all others in line."""
        return Counter(self._lines.copy().values())

    def turn(self, id: str) -> int | None:
        """How many of those go before the message ``id``; None if it is none of them."""
        return next((turn for turn, each in enumerate(self._lines.copy()) if each == id), None)

    def _forget(self, id: str) -> None:
        del self._tokens[id]
        self._lines.pop(id, None)
