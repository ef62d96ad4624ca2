"""Keeps what arrives at the provider at or below the agreed rate."""

import math
from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from smsd.ports import IThrottle


@implementer(IThrottle)
class PermitThrottle:
    """Hands out as many permits as requests may arrive in one span.

    A permit is held from before a request goes out until one span after its *answer*. So whatever arrived at the
    provider within the last span still holds its permit, however late threads, sockets or timers were: the rate
    cannot be exceeded. What it costs is the round trip: at most permits / (span + round trip) a second.
    """

    def __init__(self, *, rate: float, clock: IReactorTime) -> None:
        """Guard ``rate`` requests a second; ``clock`` must be monotonic.

        Below one a second there is one permit for 1 / rate seconds; above, the whole number of permits for a
        second: two and a half a second cannot be had without a third within some second.
        """
        self.permits = max(1, math.floor(rate))
        self.span_s = max(1.0, 1.0 / rate)
        self._clock = clock
        self._free: deque[int] = deque(range(self.permits))
        self._waiting: deque[Deferred[int]] = deque()
        self._returning: dict[int, IDelayedCall] = {}

    def start(self) -> None:
        """Begin with every permit on its way back: an earlier process may have sent until just now."""
        while self._free:
            self.give_back(self._free.popleft())

    async def take(self) -> int:
        """See IThrottle."""
        if self._free:
            return self._free.popleft()
        waiter: Deferred[int] = Deferred(self._forget)
        self._waiting.append(waiter)
        return await waiter

    def give_back(self, permit: int, extra_s: float = 0.0) -> None:
        """See IThrottle."""
        self._returning[permit] = self._clock.callLater(self.span_s + extra_s, self.put_back, permit)

    def put_back(self, permit: int) -> None:
        """See IThrottle."""
        self._returning.pop(permit, None)
        if self._waiting:
            self._waiting.popleft().callback(permit)
        else:
            self._free.append(permit)

    def close(self) -> None:
        """Let go of every timer and turn away who still waits."""
        for timer in self._returning.values():
            timer.cancel()
        self._returning.clear()
        for waiter in list(self._waiting):  # cancelling removes from what is being walked
            waiter.cancel()

    def _forget(self, waiter: "Deferred[int]") -> None:
        self._waiting.remove(waiter)
