"""Puts the sending half together."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.core.errors import SpoolUnavailable
from smsd.core.notice import Measure
from smsd.core.outlook import Outlook
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.pipeline.archiving import Archiving
from smsd.pipeline.asking import Asking
from smsd.pipeline.company import company
from smsd.pipeline.failover import Failover, Way
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.outage import Outage
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.sender import Sender
from smsd.pipeline.window import Window
from smsd.ports import IArchive, IEngine, IReporter
from smsd.settings import Settings
from smsd.wiring.providers import Providers
from smsd.wiring.reactor import IDaemonReactor

#: Seconds between two tries to begin with a spool that does not answer.
AGAIN_S: Final = 1.0
#: Seconds for which an outlook is as good as new: many accepts share one.
FRESH_S: Final = 0.01


class Dispatch:
    """The sending half, from the spool to the provider and back."""

    _log = Logger()

    def __init__(
        self,
        *,
        settings: Settings,
        store: IEngine,
        providers: Providers,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
        measure: Measure,
        archive: IArchive | None,
    ) -> None:
        """Send what ``store`` holds to ``providers``, and keep letters of the dead in ``archive``, if there is one."""
        rate = settings.rate
        backoff = Backoff(base_s=settings.retry_base, cap_s=settings.retry_cap)
        policy = Policy(backoff=backoff, attempts=settings.attempts, grace_s=settings.grace, doubt=settings.uncertain)
        told: Mapping[str, Any] = {"clock": reactor, "now": now, "reporter": reporter}
        self._window = window = Window()
        self._longest_wait_s = backoff.cap_s + policy.grace_s
        self._feeder = Feeder(outbox=store, window=window, rate=rate, fills=settings.coalesce, **told)
        self.wake = self._feeder.wake
        self._clock = reactor
        self._seen: Outlook | None = None
        self._seen_at = 0.0
        self._outage = None
        if settings.stale:
            can_send, give_back = (lambda: not self.trouble), self._feeder.give_back
            self._outage = Outage(outbox=store, stale_s=settings.stale, can_send=can_send, give_back=give_back, **told)
        sending = {"outbox": store, "policy": policy, "draw": draw, **told}
        senders = {
            lane.name: Sender(
                lane=lane,
                refill=self._feeder.refill,
                company=company(lane, window=window, of_all=settings.coalesce, wake=self.wake),
                measure=measure,
                **sending,
            )
            for lane in providers.used
        }
        self._first = senders[providers.used[0].name]
        ways = [Way(lane=lane, sender=senders[lane.name]) for lane in providers.used]
        self._sender = Failover(ways=ways, after_s=settings.failover)
        self._providers = providers
        self._pacer = Pacer(rate=rate, window=window, sender=self._sender, wake=self.wake, clock=reactor)
        lanes = providers.lanes
        self._recovery = Recovery(lanes=lanes, senders=senders, wake=self.wake, **sending)
        self._rounds: list[Recovery | Asking | Archiving] = [
            self._recovery,
            Asking(outbox=store, ledger=store, lanes=lanes, **told),
        ]
        if archive is not None:
            self._rounds.append(Archiving(archive=archive, outbox=store, ledger=store, **told))

    def start(self) -> None:
        """Begin to send; the store must be open."""
        self._providers.start()
        self._pacer.start()
        for each in self._rounds:
            each.start()
        self._feeding = Deferred.fromCoroutine(self._feed())
        _ = self._feeding.addErrback(self._broke)

    def pace(self) -> float:
        """Requests a second that the provider is given at the moment."""
        return self._providers.used[0].throttle.pace

    def outlook(self) -> Outlook:
        """When what waits will be given to the provider, if nothing else comes."""
        now = self._clock.seconds()
        if self._seen is None or now - self._seen_at >= FRESH_S:
            lane = self._providers.used[0]
            self._seen_at = now
            self._seen = self._pacer.outlook(
                lane.throttle.outlook,
                held_s=self.held_s(),
                is_waiting=bool(lane.waiting),
                ahead_s=self._first.ahead_s,
            )
        return self._seen

    def held_s(self) -> float:
        """For how many seconds the provider is surely given nothing; 0 while it takes messages."""
        return min(lane.hold.wait_s for lane in self._providers.used)

    @property
    def trouble(self) -> str:
        """Why the provider takes nothing, in words fit for a log; empty while it does.

        Empty as well once nothing has been there to try it with for longer than any message waits for its next try:
        only a message tells whether it takes messages, and who balances load by this would send none.
        """
        return "" if self._is_untried() else self._sender.trouble

    def _is_untried(self) -> bool:
        idle_s = min(0.0 if lane.in_flight else lane.hold.overdue_s for lane in self._providers.used)
        return idle_s > self._longest_wait_s and not len(self._window) and self._recovery.is_idle

    async def _feed(self) -> None:
        while self._outage is not None:
            try:
                await self._outage.start()
            except SpoolUnavailable:
                await deferLater(self._clock, AGAIN_S)
            else:
                break
        self._feeder.start()

    def _broke(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("the sending could not begin", failure)

    def spool_trouble(self) -> str:
        """Why nothing can be read from the spool; empty while all is well."""
        return self._feeder.trouble

    async def stop(self) -> None:
        """Start nothing more; what is being sent gets its answer, and that is written down."""
        self._feeding.cancel()
        self._pacer.stop()
        self._providers.stop()
        if self._outage is not None:
            await self._outage.stop()
        await self._feeder.stop()
        for each in self._rounds:
            await each.stop()
        await self._sender.drain()
        await self._providers.close()
