"""Keeps what arrives at the provider at or below the agreed rate."""

import math
from collections import deque
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from smsd.core.easing import Ease, Permits, smoothed
from smsd.core.outlook import Outlook
from smsd.ports import IThrottle


@implementer(IThrottle)
class PermitThrottle:
    """Hands out as many permits as requests may arrive in one span.

    A permit is held from before a request goes out until one span after its *answer*. So whatever arrived at the
    provider within the last span still holds its permit, however late threads, sockets or timers were: the rate
    cannot be exceeded. What it costs is the round trip: at most permits / (span + round trip) a second.
    """

    def __init__(self, *, rate: float, clock: IReactorTime) -> None:
        """Guard ``rate`` requests a second; ``clock`` must be monotonic."""
        self._pace = Permits.of(rate)
        self.permits = self._pace.number
        self.span_s = self._pace.span_s
        self._clock = clock
        self._free: deque[int] = deque(range(self.permits))
        self._waiting: deque[Deferred[int]] = deque()
        self._returning: dict[int, IDelayedCall] = {}
        self._taken_at: dict[int, float] = {}
        self._round_trip_s: float | None = None
        self._ease = Ease()

    @property
    def pace(self) -> float:
        """The requests a second that it lets through as things are, eased off and with the round trips of late."""
        return self._pace.pace(self._share(), self._round_trip_s or 0.0)

    @property
    def outlook(self) -> Outlook:
        """When and how fast permits can be had from now on."""
        out = self.permits - len(self._free)
        return self._pace.outlook(self._ease, self._round_trip_s or 0.0, self._clock.seconds(), out, self._back_at)

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

    def until(self, permit: int) -> float:
        """Without end: nobody but this process has its permits."""
        return math.inf

    def give_back(self, permit: int, extra_s: float = 0.0) -> None:
        """See IThrottle."""
        taken_at = self._taken_at.pop(permit, None)
        if taken_at is not None:
            self._round_trip_s = smoothed(self._round_trip_s, self._clock.seconds() - taken_at)
        self._returning[permit] = self._clock.callLater(self._eased_span_s() + extra_s, self.put_back, permit)

    def put_back(self, permit: int) -> None:
        """See IThrottle."""
        self._returning.pop(permit, None)
        self._taken_at.pop(permit, None)
        self._free.append(permit)
        self._hand_out()

    def ease_off(self) -> None:
        """See IThrottle."""
        self._ease = self._ease.more(self._clock.seconds())

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

    def _back_at(self, number: int) -> float:
        # Whether on its way back or in use, they are kept in the order in which they will be back.
        if number < len(self._returning):
            return next(islice(self._returning.values(), number, None)).getTime()
        taken_at = next(islice(self._taken_at.values(), number - len(self._returning), None))
        answered_at = max(self._clock.seconds(), taken_at + (self._round_trip_s or 0.0))
        return answered_at + self._eased_span_s()

    def _share(self) -> float:
        return self._ease.share_at(self._clock.seconds())

    def _usable(self) -> int:
        return self._pace.usable(self._share())

    def _eased_span_s(self) -> float:
        return self._pace.eased_span_s(self._share())

    def _forget(self, waiter: "Deferred[int]") -> None:
        self._waiting.remove(waiter)
