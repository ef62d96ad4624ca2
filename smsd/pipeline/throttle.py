"""Keeps what arrives at the provider at or below the agreed rate."""

import math
from heapq import heappop, heappush, nsmallest

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from smsd.core.easing import Ease, Permits, likely_s, smoothed
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
        #: Those that nobody has, as a heap: when each is free (monotonic seconds), and its number.
        self._idle = [(-math.inf, permit) for permit in range(self.permits)]
        self._since: dict[int, float] = {}  # of those that somebody has
        self._waiting: dict[Deferred[int], float] = {}  # how far ahead each takes one, in the order they came
        self._look: IDelayedCall | None = None
        self._round_trip_s: float | None = None  # there was none yet
        self._ease = Ease()

    @property
    def pace(self) -> float:
        """The requests a second that it lets through as things are, eased off and with the round trips of late."""
        return self._pace.pace(self._share(), self._round_trip_s or 0.0)

    @property
    def outlook(self) -> Outlook:
        """When and how fast permits can be had from now on."""
        now, round_trip_s, span_s = self._clock.seconds(), likely_s(self._round_trip_s), self._eased_span_s()
        used = (max(now, since + round_trip_s) + span_s for since in self._since.values())
        back = sorted([*used, *(free_at for free_at, _ in self._idle if free_at > now)])
        return self._pace.outlook(self._ease, round_trip_s, now, back)

    def start(self) -> None:
        """Begin with every permit on its way back: an earlier process may have sent until just now."""
        free_at = self._clock.seconds() + self._eased_span_s()
        self._idle = [(free_at, permit) for _, permit in self._idle]

    async def take(self, ahead_s: float = 0.0) -> int:
        """See IThrottle."""
        waiter: Deferred[int] = Deferred(self._forget)
        self._waiting[waiter] = ahead_s
        self._hand_out()
        return await waiter

    def since(self, permit: int) -> float:
        """See IThrottle."""
        return self._since[permit]

    def until(self, permit: int) -> float:
        """Without end: nobody but this process has its permits."""
        return math.inf

    def give_back(self, permit: int, extra_s: float = 0.0, begun_at: float = 0.0) -> None:
        """See IThrottle."""
        now = self._clock.seconds()
        self._round_trip_s = smoothed(self._round_trip_s, max(0.0, now - max(begun_at, self._since.pop(permit))))
        self._return(permit, now + self._eased_span_s() + extra_s)

    def put_back(self, permit: int) -> None:
        """See IThrottle."""
        self._return(permit, self._since.pop(permit))

    def ease_off(self) -> None:
        """See IThrottle."""
        self._ease = self._ease.more(self._clock.seconds())

    def close(self) -> None:
        """Let go of the timer and turn away who still waits."""
        for waiter in list(self._waiting):  # cancelling removes from what is being walked
            waiter.cancel()
        self._look_in(None)

    def _return(self, permit: int, free_at: float) -> None:
        heappush(self._idle, (free_at, permit))
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._free_at() - next(iter(self._waiting.values())) <= self._clock.seconds():
            since = max(self._free_at(), self._clock.seconds())
            _, permit = heappop(self._idle)
            self._since[permit] = since
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.callback(permit)
        # Who is left waits for the next one to be free, or to be returned: then we are back here.
        free_at = self._free_at() if self._waiting else math.inf
        wait_s = free_at - next(iter(self._waiting.values()), 0.0) - self._clock.seconds()
        self._look_in(None if math.isinf(free_at) else wait_s)

    def _free_at(self) -> float:
        """When a request may go out under the next permit; infinite if none is idle that may be used."""
        # As many must be free as may not be used, and one more.
        spare = self.permits - self._usable()
        if len(self._idle) <= spare:
            return math.inf
        return nsmallest(spare + 1, self._idle)[-1][0] if spare else self._idle[0][0]

    def _look_in(self, wait_s: float | None) -> None:
        if self._look is not None and self._look.active():
            self._look.cancel()
        self._look = None if wait_s is None else self._clock.callLater(max(0.0, wait_s), self._hand_out)

    def _share(self) -> float:
        return self._ease.share_at(self._clock.seconds())

    def _usable(self) -> int:
        return self._pace.usable(self._share())

    def _eased_span_s(self) -> float:
        return self._pace.eased_span_s(self._share())

    def _forget(self, waiter: "Deferred[int]") -> None:
        del self._waiting[waiter]
