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
    """Remembers the reads of this node, and spreads them.

    Two may follow at once, so that who has little to do does not wait. After that they come evenly: five at once, and
    nothing for the rest of the second, would have everything wait for that long.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._latest: deque[float] = deque(maxlen=READS)
        self._not_before = 0.0

    def wait_s(self) -> float:
        """Seconds until another read may be made."""
        now = self._monotonic()
        counting = [at for at in self._latest if now < at + SPAN_S]
        at_once = counting[0] + SPAN_S if len(counting) == READS else 0.0
        evenly = counting[-1] + SPAN_S / READS if len(counting) > 1 else 0.0
        return max(0.0, max(at_once, evenly, self._not_before) - now)

    def is_fresh(self, for_s: float) -> bool:
        """Whether the latest read was made less than ``for_s`` seconds ago."""
        return bool(self._latest) and self._monotonic() < self._latest[-1] + for_s

    def made(self) -> None:
        """Take note of a read."""
        self._latest.append(self._monotonic())

    def refused(self) -> None:
        """Take note that the last one was one too many."""
        self._not_before = self._monotonic() + REFUSED_S
