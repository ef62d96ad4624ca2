"""Keeps what arrives at the provider from all nodes together at or below the agreed rate."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import attrs
import psycopg
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from smsd.core.easing import Ease, Permits, likely_s, smoothed
from smsd.core.outlook import Outlook
from smsd.ports import IThrottle
from smsd.spool.postgresql.link import Link

T = TypeVar("T")

#: Seconds after a permit is had in which its request must begin to go out.
BEGIN_S: Final = 5.0
#: Seconds for which a request may be on its way that nobody waits for any more.
LATE_S: Final = 10.0
#: Seconds between two looks for a permit while other nodes have them all, and between two tries to reach the server.
POLL_S: Final = 0.03
AGAIN_S: Final = 1.0
#: Seconds for which it is not asked again how far the nodes have eased off.
LOOK_S: Final = 1.0

_BEGIN: Final = """
    INSERT INTO permit SELECT :lane, number, NULL, clock_timestamp() + make_interval(secs => :span_s)
    FROM generate_series(0, :permits - 1) AS number ON CONFLICT DO NOTHING"""
#: One that is free, or will be within the span and nobody has; or one whose holder is surely gone.
_TAKE: Final = """
    WITH chosen AS MATERIALIZED (
        SELECT number, free_at FROM permit WHERE lane = :lane AND number < :usable AND (
            free_at <= clock_timestamp()
            OR token IS NULL AND free_at <= clock_timestamp() + make_interval(secs => :span_s)
        ) ORDER BY free_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE permit SET token = nextval('lease_token'),
        free_at = greatest(permit.free_at, clock_timestamp()) + make_interval(secs => :gone_s)
    FROM chosen WHERE permit.lane = :lane AND permit.number = chosen.number
    RETURNING token, CAST(greatest(0, extract(epoch FROM chosen.free_at - clock_timestamp())) AS float8)"""
_RETURN: Final = """
    UPDATE permit SET token = NULL, free_at = clock_timestamp() + make_interval(secs => ?)
    WHERE lane = ? AND token = ?"""
_EASED: Final = """
    SELECT share, CAST(extract(epoch FROM clock_timestamp() - eased_at) AS float8) FROM easing WHERE lane = ?"""
_EASE: Final = """
    INSERT INTO easing VALUES (?, ?, clock_timestamp())
    ON CONFLICT (lane) DO UPDATE SET share = excluded.share, eased_at = excluded.eased_at"""


class IThrottleReactor(IReactorFromThreads, IReactorTime):
    """What the throttle needs of a reactor; its ``seconds`` must be monotonic, and are read on another thread too."""


@attrs.frozen(kw_only=True)
class _Taken:
    token: int
    at: float  #: monotonic seconds; from then on it may be used: counted from when the server had answered
    until: float  #: monotonic seconds; then it is too old: counted from before the server was asked


@implementer(IThrottle)
class PostgresThrottle:
    """Hands out permits that are rows of one table, as many as requests may arrive in one span.

    A row is taken from before its request goes out until one span after the answer, as with PermitThrottle, and the
    times are all the server's. A node that dies keeps its row until its request has surely arrived; one that stalls
    finds its permit too old to be used, see ``until``.
    """

    def __init__(self, url: str, *, lane: str, rate: float, timeout_s: float, reactor: IThrottleReactor) -> None:
        """Guard ``rate`` requests a second to ``lane``, each answered or given up within ``timeout_s`` seconds."""
        self._permits = Permits.of(rate)
        self.permits = self._permits.number
        self._lane = lane
        self._gone_s = BEGIN_S + timeout_s + LATE_S + self._permits.span_s
        self._reactor = reactor
        self._link = Link(url, patience_s=BEGIN_S)
        self._threads = ThreadPool(1, 1, name="smsd-throttle")
        self._taken: dict[int, _Taken] = {}
        self._round_trip_s: float | None = None  # there was none yet
        self._ease = Ease()
        self._returned: deque[float] = deque()  # monotonic seconds; when permits that were ours are free again
        self._looked_at: float | None = None
        self._taking: set[Deferred[Any]] = set()

    @property
    def pace(self) -> float:
        """The requests a second that all nodes together are let through as things are."""
        return self._permits.pace(self._share(), self._round_trip_s or 0.0)

    @property
    def outlook(self) -> Outlook:
        """When and how fast permits can be had from now on, but for those that other nodes have."""
        now = self._reactor.seconds()
        while self._returned and self._returned[0] <= now:
            self._returned.popleft()
        # What is to be used later is among those that are still on their way back.
        used = [each.at for each in list(self._taken.values()) if each.at <= now]
        round_trip_s, span_s = likely_s(self._round_trip_s), self._permits.eased_span_s(self._share())
        back = [*self._returned, *(max(now, at + round_trip_s) + span_s for at in used)]
        return self._permits.outlook(self._ease, round_trip_s, now, back[: self.permits])

    def start(self) -> None:
        """Begin; the schema must be there."""
        self._threads.start()

    def close(self) -> None:
        """Turn away who still waits; permits that are out come back by themselves."""
        for waiter in list(self._taking):
            waiter.cancel()
        self._threads.stop()
        self._link.close()

    async def take(self, ahead_s: float = 0.0) -> int:
        """See IThrottle. While the server cannot be reached nobody gets a permit."""
        waiter = Deferred.fromCoroutine(self._take(ahead_s))
        self._taking.add(waiter)
        try:
            return await waiter
        finally:
            self._taking.discard(waiter)

    def since(self, permit: int) -> float:
        """See IThrottle."""
        return self._taken[permit].at

    def until(self, permit: int) -> float:
        """See IThrottle."""
        return self._taken[permit].until

    def give_back(self, permit: int, extra_s: float = 0.0, begun_at: float = 0.0) -> None:
        """See IThrottle."""
        taken = self._taken.pop(permit)
        self._round_trip_s = smoothed(self._round_trip_s, self._reactor.seconds() - max(begun_at, taken.at))
        self._return(permit, self._permits.eased_span_s(self._share()) + extra_s)

    def put_back(self, permit: int) -> None:
        """See IThrottle."""
        # It may have been had ahead of its time.
        self._return(permit, max(0.0, self._taken.pop(permit).at - self._reactor.seconds()))

    def ease_off(self) -> None:
        """See IThrottle."""
        self._ease = self._ease.more(self._reactor.seconds())
        self._looked_at = None
        _ = self._in_thread(self._link.execute, _EASE, (self._lane, self._ease.share)).addErrback(_unless_broken)

    async def _take(self, ahead_s: float) -> int:
        while True:
            found: list[_Taken] = []
            try:
                await self._in_thread(self._find, found)
                if found:
                    self._taken[found[0].token] = found[0]
                    await deferLater(self._reactor, max(0.0, found[0].at - ahead_s - self._reactor.seconds()))
                    return found[0].token
                await deferLater(self._reactor, POLL_S)
            except psycopg.Error:
                await deferLater(self._reactor, AGAIN_S)
            except CancelledError:
                # The thread does one thing after the other: by then it is known whether there is one.
                _ = self._in_thread(self._lose, found).addErrback(_unless_broken)
                raise

    def _share(self) -> float:
        return self._ease.share_at(self._reactor.seconds())

    def _return(self, permit: int, after_s: float) -> None:
        self._returned.append(self._reactor.seconds() + after_s)
        # If it fails the permit comes back by itself, only later.
        returned = self._in_thread(self._link.execute, _RETURN, (after_s, self._lane, permit))
        _ = returned.addErrback(_unless_broken)

    def _in_thread(self, call: Callable[..., T], *given: Any) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._threads, partial(call, *given))

    # From here on in the thread.
    def _find(self, found: list[_Taken]) -> None:
        asked_at = self._reactor.seconds()
        if self._looked_at is None or asked_at - self._looked_at > LOOK_S:
            self._look(asked_at)
        values = {
            "lane": self._lane,
            "usable": self._permits.usable(self._share()),
            "span_s": self._permits.span_s,
            "gone_s": self._gone_s,
        }
        for token, wait_s in self._link.execute(_TAKE, values).fetchall():
            at = self._reactor.seconds() + wait_s
            found.append(_Taken(token=token, at=at, until=asked_at + wait_s + BEGIN_S))

    def _look(self, now: float) -> None:
        if self._looked_at is None:
            values = {"lane": self._lane, "permits": self.permits, "span_s": self._permits.span_s}
            self._link.execute(_BEGIN, values)
        for share, since_s in self._link.execute(_EASED, (self._lane,)).fetchall():
            self._ease = Ease(share=share, at=now - since_s)
        self._looked_at = now

    def _lose(self, found: list[_Taken]) -> None:
        for taken in found:
            self._taken.pop(taken.token, None)
            after_s = max(0.0, taken.at - self._reactor.seconds())
            self._link.execute(_RETURN, (after_s, self._lane, taken.token))


def _unless_broken(failure: Failure) -> None:
    failure.trap(psycopg.Error, CancelledError)
