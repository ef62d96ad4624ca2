"""The few messages that are next, in memory; the spool behind it holds the rest."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import DeferredQueue

from smsd.core.message import Message
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

    def take(self, admits: Callable[[Message], bool] = lambda message: True) -> Lease | None:
        """The first lease, or None when nothing waits or its message is not one that ``admits``."""
        if not self._queue.pending or not admits(self._queue.pending[0].message):
            return None
        taken: list[Lease] = []
        _ = self._queue.get().addCallback(taken.append)
        return taken[0]
