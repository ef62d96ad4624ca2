"""The few messages that are next, in memory; the spool behind it holds the rest."""

from typing import Final

from twisted.internet.defer import DeferredQueue

from smsd.ports import Lease

SIZE: Final = 100


class Window:
    """A ``DeferredQueue`` of leases that is only ever asked for what is already there.

    Whoever waits in ``get()`` is served the moment a message arrives, whatever the time: that would break the pace.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._queue: DeferredQueue[Lease] = DeferredQueue(size=size)

    def __len__(self) -> int:
        return len(self._queue.pending)

    def put(self, lease: Lease) -> None:
        """Add ``lease`` at the end. Raises twisted's QueueOverflow beyond the size."""
        self._queue.put(lease)

    def take(self) -> Lease | None:
        """The first lease, or None when nothing waits."""
        if not self._queue.pending:
            return None
        taken: list[Lease] = []
        _ = self._queue.get().addCallback(taken.append)
        return taken[0]
