"""Puts together what watches: the log, metrics, Sentry and Datadog, as the settings ask for them."""

import logging
import platform
from collections import deque
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger, globalLogPublisher
from zope.interface import implementer

from smsd.core.errors import SpoolUnavailable
from smsd.core.message import What
from smsd.core.notice import Notice, Took
from smsd.ports import IInbox, IReporter
from smsd.reporting.fanout import Fanout
from smsd.reporting.log import LogReporter
from smsd.reporting.names import Known, Measured, Snapshot
from smsd.reporting.outlet import Outlet
from smsd.reporting.prometheus import Prometheus
from smsd.settings import Settings, SettingsError
from smsd.settings.types import secrets_in
from smsd.wiring.extras import extra
from smsd.wiring.reactor import IDaemonReactor

#: Seconds between two looks at how much there is: Datadog's agent flushes so often.
LOOK_S: Final = 10.0
#: Seconds between two looks at how late the reactor calls.
LAG_S: Final = 1.0
#: Seconds over which the pace that is used is taken.
MINUTE_S: Final = 60.0


class Observing:
    """Everything that takes notices; none of it can delay or break a send."""

    _log = Logger()

    def __init__(self, *, settings: Settings, reactor: IDaemonReactor, now: Callable[[], float]) -> None:
        """Raises SettingsError when a setting asks for what is not installed, or cannot be used."""
        self._reactor = reactor
        self._now = now
        self._settings = settings
        self._attempts: deque[float] = deque()
        self._snapshot = Snapshot(depth={}, oldest_s=0.0, eta_s=0.0, pace_used=0.0, pace_allowed=settings.rate)
        known = Known(api_keys=frozenset(key.name for key in settings.api_keys), gateways=settings.gateway.names)
        release = version("smsd")
        self.metrics = Prometheus(known=known, snapshot=lambda: self._snapshot, version=release)
        self._outlets: list[Outlet[Any]] = []
        self._sentry = self._start_sentry(release)
        self._datadog = self._start_datadog(known)
        direct: dict[str, IReporter] = {"prometheus": self.metrics}
        self.fanout = Fanout(direct=direct, queued=self._outlets, monotonic=reactor.seconds)
        # The ledger tells of what was accepted; a line of the log for each would cost a quarter of the accepts.
        self.fanout.add("log", LogReporter(), set(What) - {What.ACCEPTED})
        self.fanout.add("pace", _Pace(self._attempts), {What.ATTEMPT})
        self._looking = LoopingCall(self._look)
        self._lagging = LoopingCall(self._lag)
        self._looking.clock = self._lagging.clock = reactor
        self._due_at = 0.0
        self._inbox: IInbox | None = None
        # Else urllib3 and others write to the terminal at each retry.
        logging.getLogger().addHandler(logging.NullHandler())

    def measure(self, took: Took, seconds: Sequence[float]) -> None:
        """See core.notice.Measure."""
        measured = Measured.of(took, seconds)
        self.metrics.measure(measured)
        if self._datadog is not None:
            self._datadog.put(measured)

    async def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and body of ``/metrics`` for ``Accept: accept``."""
        await self._take_snapshot()
        return self.metrics.render(accept)

    def drops(self) -> dict[str, int]:
        """How many notices each reporter did not get, by its name."""
        return self.fanout.drops()

    def start(self, inbox: IInbox) -> None:
        """Begin to pass on what was reported, and to look at ``inbox``, which must be open."""
        self._inbox = inbox
        self.fanout.start()
        self._due_at = self._reactor.seconds()
        _ = self._looking.start(LOOK_S)
        _ = self._lagging.start(LAG_S, now=False)

    async def stop(self) -> None:
        """Pass on what waits, for two seconds at most."""
        for loop in (self._looking, self._lagging):
            if loop.running:
                loop.stop()
        await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self.fanout.close)
        if self._sentry is not None:
            globalLogPublisher.removeObserver(self._sentry)

    def _start_sentry(self, release: str) -> Any:
        dsn = self._settings.sentry_dsn
        if dsn is None:
            return None
        module = extra("smsd.reporting.sentry", "sentry", "SENTRY_DSN")
        node = self._settings.node or platform.node()
        try:
            sentry = module.Sentry(dsn.reveal(), release=f"smsd@{release}", node=node, keys=secrets_in(self._settings))
        except ValueError as error:
            raise SettingsError(problems=("SENTRY_DSN is no DSN of Sentry's.",)) from error
        outlet = self._outlet("sentry", sentry)
        observer = module.SentryLog(outlet.put)
        globalLogPublisher.addObserver(observer)
        return observer

    def _start_datadog(self, known: Known) -> Outlet[Any] | None:
        if self._settings.datadog_host is None:
            return None
        module = extra("smsd.reporting.datadog", "datadog", "DD_AGENT_HOST")
        agent = module.Datadog(host=self._settings.datadog_host, port=self._settings.datadog_port, known=known)
        return self._outlet("datadog", agent)

    def _outlet(self, name: str, reporter: Any) -> Outlet[Any]:
        outlet = Outlet(
            name, reporter.take, monotonic=self._reactor.seconds, close=reporter.close, lost=lambda: reporter.drops
        )
        self._outlets.append(outlet)
        return outlet

    def _look(self) -> Deferred[None]:
        looking = Deferred.fromCoroutine(self._tell())
        return looking.addErrback(lambda failure: self._log.failure("looking at the spool broke", failure))

    async def _tell(self) -> None:
        await self._take_snapshot()
        if self._datadog is not None:
            self._datadog.put(self._snapshot)

    async def _take_snapshot(self) -> None:
        try:
            standing = None if self._inbox is None else await self._inbox.standing()
        except SpoolUnavailable:
            return  # the last one stands; /ready says why
        if standing is None:
            return
        now = self._now()
        while self._attempts and self._attempts[0] < now - MINUTE_S:
            self._attempts.popleft()
        self._snapshot = Snapshot(
            depth=standing.depth,
            oldest_s=0.0 if standing.oldest is None else max(0.0, now - standing.oldest),
            eta_s=sum(standing.in_line.values()) / self._settings.rate,
            pace_used=len(self._attempts) / MINUTE_S,
            pace_allowed=self._settings.rate,
            drops=self.fanout.drops(),
        )

    def _lag(self) -> None:
        now = self._reactor.seconds()
        self.measure(Took.REACTOR, [max(0.0, now - self._due_at - LAG_S)])
        self._due_at = now


@implementer(IReporter)
class _Pace:
    """Remembers when requests went to the provider."""

    def __init__(self, attempts: deque[float]) -> None:
        self._attempts = attempts

    def report(self, notice: Notice) -> None:
        """See IReporter."""
        self._attempts.append(notice.at)
