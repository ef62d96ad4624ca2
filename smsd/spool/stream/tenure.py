"""Says whether this node has the lane, by monotonic time and by what the log says."""

from collections.abc import Callable

from smsd.spool.stream.journal import Lane


class Tenure:
    """One node's view of who sends.

    Whoever has the lane has it until ``lease_s`` seconds after it *wrote* its last sign of life; others wait for as
    long from when they *read* it. So nobody's clock need agree with anybody's: a new owner's time begins after the old
    one's has ended, and another ``pause_s`` seconds later it sends.
    """

    def __init__(
        self, author: str, lane: Lane, dead: str, *, lease_s: float, pause_s: float, monotonic: Callable[[], float]
    ) -> None:
        """``lane`` is as the ledger has it at first; ``dead`` is an author of whom it is known, or empty."""
        self._author = author
        self._dead = dead
        self._lease_s = lease_s
        self._pause_s = pause_s
        self._monotonic = monotonic
        self._lane = lane
        self._seen_at = monotonic()
        #: Monotonic seconds until which nobody else can have the lane.
        self.until = 0.0
        self._from = 0.0
        #: Whether what an earlier owner was sending is still to be made uncertain.
        self.has_inherited = False

    @property
    def epoch(self) -> int:
        """The one in which we have the lane; 0: we have not."""
        return self._lane.epoch if self._lane.owner == self._author else 0

    @property
    def is_sure(self) -> bool:
        """Whether we have the lane, and nobody else can."""
        return bool(self.epoch) and self._monotonic() < self.until

    @property
    def may_send(self) -> bool:
        """Whether what an earlier owner sent last is long enough ago."""
        return self.is_sure and self._monotonic() >= self._from

    def is_old(self) -> bool:
        """Whether it is time for a sign of life."""
        return bool(self.epoch) and self._monotonic() > self.until - self._lease_s * 2 / 3

    def may_claim(self) -> bool:
        """Whether the lane is free, or its owner has been silent for so long that it knows it has lost it."""
        is_free = self._lane.owner in ("", self._dead)
        return not self.epoch and (is_free or self._monotonic() >= self._seen_at + self._lease_s)

    def look(self, lane: Lane) -> None:
        """Take note of ``lane``, as the log has it now."""
        if lane == self._lane:
            return
        if lane.owner == self._author and lane.epoch != self._lane.epoch:
            self.has_inherited = True
            # Before the first epoch nobody has ever sent.
            self._from = self._monotonic() + (self._pause_s if lane.epoch > 1 else 0.0)
        elif lane.owner != self._author:
            self.until = 0.0
        self._lane = lane
        self._seen_at = self._monotonic()

    def signed(self, written_at: float) -> None:
        """Take note that a sign of life that we wrote at ``written_at`` (monotonic seconds) was accepted."""
        self.until = max(self.until, written_at + self._lease_s)
