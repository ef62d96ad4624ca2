"""Keeps the reads of a shard below the number that Kinesis takes."""

from collections import deque
from collections.abc import Callable
from typing import Final

#: Reads of one shard in one second, of all who read it together:
#: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html, GetRecords.
READS: Final = 5
#: A second, and some for the network.
SPAN_S: Final = 1.02
#: Seconds to wait once a read was refused: other nodes read as well.
REFUSED_S: Final = 0.25


class Reads:
    """Remembers the reads of this node. Several at once are fine, as long as no second holds more than it may."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._latest: deque[float] = deque(maxlen=READS)
        self._not_before = 0.0

    def wait_s(self) -> float:
        """Seconds until another read may be made."""
        free_at = self._latest[0] + SPAN_S if len(self._latest) == READS else 0.0
        return max(0.0, max(free_at, self._not_before) - self._monotonic())

    def is_fresh(self, for_s: float) -> bool:
        """Whether the latest read was made less than ``for_s`` seconds ago."""
        return bool(self._latest) and self._monotonic() < self._latest[-1] + for_s

    def made(self) -> None:
        """Take note of a read."""
        self._latest.append(self._monotonic())

    def refused(self) -> None:
        """Take note that the last one was one too many."""
        self._not_before = self._monotonic() + REFUSED_S
