"""Keeps what arrives at the provider at or below the agreed rate."""

import math
from collections import deque
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from smsd.ports import IThrottle

#: What is left of the pace each time that the provider finds it too fast, and the least that is left of it.
EASED: Final = 1 / 2
LEAST: Final = 1 / 16
#: Seconds without another complaint that give back so much of the agreed pace.
REGAIN_S: Final = 10.0
REGAINED: Final = 1 / 10
#: The weight of the latest round trip among all.
LATEST: Final = 1 / 4


@implementer(IThrottle)
class PermitThrottle:
    """Hands out as many permits as requests may arrive in one span.

    A permit is held from before a request goes out until one span after its *answer*. So whatever arrived at the
    provider within the last span still holds its permit, however late threads, sockets or timers were: the rate
    cannot be exceeded. What it costs is the round trip: at most permits / (span + round trip) a second.

    While the pace is eased fewer permits may be out at once, and each for longer where their number must be whole.
    Neither ever goes the other way, so the guarantee stands.
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
        self._taken_at: dict[int, float] = {}
        self._round_trip_s: float | None = None
        self._share = 1.0  # of the agreed pace, as it was when it was last eased off
        self._eased_at = 0.0

    @property
    def pace(self) -> float:
        """The requests a second that it lets through as things are, eased off and with the round trips of late."""
        return self._usable() / (self._eased_span_s() + (self._round_trip_s or 0.0))

    def start(self) -> None:
        """Begin with every permit on its way back: an earlier process may have sent until just now."""
        while self._free:
            self.give_back(self._free.popleft())

    async def take(self) -> int:
        """See IThrottle."""
        waiter: Deferred[int] = Deferred(self._forget)
        self._waiting.append(waiter)
        self._hand_out()
        return await waiter

    def give_back(self, permit: int, extra_s: float = 0.0) -> None:
        """See IThrottle."""
        taken_at = self._taken_at.pop(permit, None)
        if taken_at is not None:
            self._learn(self._clock.seconds() - taken_at)
        self._returning[permit] = self._clock.callLater(self._eased_span_s() + extra_s, self.put_back, permit)

    def put_back(self, permit: int) -> None:
        """See IThrottle."""
        self._returning.pop(permit, None)
        self._taken_at.pop(permit, None)
        self._free.append(permit)
        self._hand_out()

    def ease_off(self) -> None:
        """See IThrottle."""
        self._share = max(LEAST, self._share_now() * EASED)
        self._eased_at = self._clock.seconds()

    def close(self) -> None:
        """Let go of every timer and turn away who still waits."""
        for timer in self._returning.values():
            timer.cancel()
        self._returning.clear()
        for waiter in list(self._waiting):  # cancelling removes from what is being walked
            waiter.cancel()

    def _hand_out(self) -> None:
        # Who is left waiting is served at the latest when the next permit is back; there is always one out then.
        while self._waiting and self._free and self.permits - len(self._free) < self._usable():
            permit = self._free.popleft()
            self._taken_at[permit] = self._clock.seconds()
            self._waiting.popleft().callback(permit)

    def _share_now(self) -> float:
        regained = math.floor((self._clock.seconds() - self._eased_at) / REGAIN_S) * REGAINED
        return min(1.0, self._share + regained)

    def _usable(self) -> int:
        return min(self.permits, math.ceil(self.permits * self._share_now()))

    def _eased_span_s(self) -> float:
        return self.span_s * max(1.0, self._usable() / (self.permits * self._share_now()))

    def _learn(self, round_trip_s: float) -> None:
        known_s = round_trip_s if self._round_trip_s is None else self._round_trip_s
        self._round_trip_s = known_s + LATEST * (round_trip_s - known_s)

    def _forget(self, waiter: "Deferred[int]") -> None:
        self._waiting.remove(waiter)
