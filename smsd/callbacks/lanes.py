"""Shares out what may be posted at a time, so that one slow receiver does not hold up the others."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Lanes:
    """Runs at most ``total`` jobs at a time, and of those at most ``per_host`` for one receiver's host.

    A receiver that never answers takes ``per_host`` lanes until its posts time out; the others have the rest. Who
    has waited for a lane gets it in the order of coming within a host, and the hosts take turns.
    """

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._running: Counter[str] = Counter()
        self._handing_on = False
        #: Hosts in the order of their turns; none without someone who waits.
        self._waiting: dict[str, deque[Deferred[None]]] = {}

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many jobs wait for a lane."""
        return sum(map(len, self._waiting.values()))

    @property
    def full_hosts(self) -> frozenset[str]:
        """The hosts that have all the lanes they may have: another job of theirs would wait."""
        return frozenset(host for host, running in self._running.items() if running >= self._per_host)

    def has_room(self, host: str) -> bool:
        """Whether a job for ``host`` would start at once."""
        return self.running < self._total and self._running[host] < self._per_host

    async def run(self, host: str, job: Callable[[], Awaitable[T]]) -> T:
        """The answer of ``job``, called once there is a lane for ``host``; raises what it raises.

        Raises CancelledError if the lanes are closed while it waits.
        """
        await self._take(host)
        try:
            return await job()
        finally:
            self._give_back(host)

    def close(self) -> None:
        """Turn away who still waits; what runs goes on."""
        for waiters in list(self._waiting.values()):  # cancelling removes from what is being walked
            for waiter in list(waiters):
                waiter.cancel()

    async def _take(self, host: str) -> None:
        if self.has_room(host):
            self._running[host] += 1
            return
        waiter: Deferred[None] = Deferred(lambda waiter: self._forget(host, waiter))
        self._waiting.setdefault(host, deque()).append(waiter)
        await waiter

    def _give_back(self, host: str) -> None:
        self._running[host] -= 1
        if not self._running[host]:
            del self._running[host]  # hosts come and go, the memory of them must too
        if not self._handing_on:  # else the loop below goes on: jobs that end at once must not pile up on the stack
            self._handing_on = True
            try:
                while (waiter := self._next()) is not None:
                    waiter.callback(None)
            finally:
                self._handing_on = False

    def _next(self) -> "Deferred[None] | None":
        # At most total / per_host hosts are full, so no more are passed over.
        host = next((waiting for waiting in self._waiting if self.has_room(waiting)), None)
        if host is None:
            return None
        self._running[host] += 1
        waiters = self._waiting.pop(host)
        waiter = waiters.popleft()
        if waiters:
            self._waiting[host] = waiters  # back to the end: the next turn is another host's
        return waiter

    def _forget(self, host: str, waiter: "Deferred[None]") -> None:
        self._waiting[host].remove(waiter)
        if not self._waiting[host]:
            del self._waiting[host]
