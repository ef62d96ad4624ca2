"""Sends by the second gateway while the first does not work."""

from collections.abc import Sequence

import attrs
from twisted.logger import Logger

from smsd.pipeline.lane import Lane
from smsd.pipeline.sender import Sender
from smsd.ports import Lease


@attrs.frozen(kw_only=True)
class Way:
    """A lane and who sends on it."""

    lane: Lane
    sender: Sender


class Failover:
    """Takes each message to the first way that works, as they are given; a ``Sending``, as one sender is.

    One that has been held, or failing, for ``after_s`` seconds does not count: the next takes over. Its probes go on
    meanwhile, each with one message, so that it gets them all back once it works. A message that a gateway may have is
    never taken to another: its sender sees to that (see Message.is_repeat), and what is uncertain is in no window.
    """

    _log = Logger()

    def __init__(self, *, ways: Sequence[Way], after_s: float) -> None:
        self._ways = ways
        self._after_s = after_s
        self._last = ways[0]

    @property
    def trouble(self) -> str:
        """Why nothing is sent by any way, in words fit for a log; empty while one works."""
        reasons = [way.lane.hold.reason for way in self._ways]
        return "; ".join(reasons) if all(reasons) else ""

    def takes_another(self) -> bool:
        """Whether a send may start now, by whichever way."""
        return self._way() is not None

    def start(self, lease: Lease) -> None:
        """Send ``lease``'s message in the background, by the way that is next."""
        way = self._way() or self._last  # one that takes none now has its sender wait, or turn back
        is_over = bool(way.lane.hold.reason) and way.lane.hold.troubled_s >= self._after_s
        if is_over and lease.message.gateway == way.lane.name and not lease.message.is_repeat:
            # It has been its probe before: else the last one that waits would be nothing but a probe.
            way = next((each for each in self._ways if each.sender.takes_another() and each is not way), way)
        if way is not self._last and not way.lane.hold.reason:  # a probe is no change
            self._log.info("messages now go to {name}", name=way.lane.name)
            self._last = way
        way.sender.start(lease)

    async def drain(self) -> None:
        """Wait until every send that was begun, by whichever way, is settled or cannot be."""
        for way in self._ways:
            await way.sender.drain()

    def _way(self) -> Way | None:
        for way in self._ways:
            if way.sender.takes_another():
                return way
            if way.lane.hold.troubled_s < self._after_s or not way.lane.hold.reason:
                return None  # it works, and is only busy, or may soon work again: those behind it wait
        return None
