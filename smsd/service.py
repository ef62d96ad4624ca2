"""Composes the daemon: the only place that names concrete classes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.web.resource import IResource
from ulid import ULID

from smsd.api.auth import Keyring
from smsd.api.hooks import Hooks
from smsd.api.routes import Api
from smsd.api.site import site
from smsd.core.retry import Backoff
from smsd.core.settle import Policy
from smsd.gateway.messagebird import IGatewayReactor, MessageBirdGateway
from smsd.gateway.webhook import public_url, status_report, verify
from smsd.listening import address_of, close, listen
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.hold import Hold
from smsd.pipeline.intake import Intake
from smsd.pipeline.lane import Lane
from smsd.pipeline.operations import Operations
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.reports import Reports
from smsd.pipeline.sender import Sender
from smsd.pipeline.throttle import PermitThrottle
from smsd.pipeline.window import Window
from smsd.ports import IEngine, IReporter
from smsd.reporting.log import LogReporter
from smsd.sandbox.messagebird import MessageBirdSandbox
from smsd.sandbox.terminal import show, welcome
from smsd.settings import SANDBOX_KEY, Settings
from smsd.settings.types import MemorySpoolUrl, SpoolUrl, SqliteSpoolUrl
from smsd.spool.memory import MemorySpool
from smsd.spool.sqlite import SqliteSpool

#: Seconds, the longest pause between two probes of a provider that holds us off.
PROBE_CAP_S = 60.0


class IDaemonReactor(IGatewayReactor, IReactorTime):
    """What the daemon needs of a reactor; its ``seconds`` must be monotonic."""


def engine_for(url: SpoolUrl, reactor: IDaemonReactor) -> IEngine:
    """The engine that ``url`` names, not yet opened."""
    match url:
        case MemorySpoolUrl():
            return MemorySpool()
        case SqliteSpoolUrl(path=path):
            return SqliteSpool(str(path), reactor=reactor)


class Dispatch:
    """The sending half, from the spool to the provider and back."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: IEngine,
        url: str,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """Send what ``store`` holds to the provider at ``url``."""
        rate = settings.rate
        backoff = Backoff(base_s=settings.retry_base, cap_s=settings.retry_cap)
        policy = Policy(backoff=backoff, attempts=settings.attempts, grace_s=settings.grace, doubt=settings.uncertain)
        told: Mapping[str, Any] = {"clock": reactor, "now": now, "reporter": reporter}
        probing = Backoff(base_s=settings.retry_base, cap_s=min(PROBE_CAP_S, settings.retry_cap))
        throttle = PermitThrottle(rate=rate, clock=reactor)
        self._throttle = throttle
        self._gateway = MessageBirdGateway(
            (settings.messagebird_key or SANDBOX_KEY).reveal(),
            url,
            reactor=reactor,
            threads=throttle.permits,
            timeout_s=settings.timeout,
            now=now,
            report_url=settings.public_url and settings.public_url + "/messagebird/status",
            monotonic=reactor.seconds,
        )
        self.hold = Hold(backoff=probing, **told)
        lane = Lane(name="messagebird", gateway=self._gateway, throttle=throttle, hold=self.hold)
        window = Window()
        self._feeder = Feeder(outbox=store, window=window, rate=rate, **told)
        self.wake = self._feeder.wake
        self._sender = Sender(outbox=store, lane=lane, policy=policy, draw=draw, **told)
        self._pacer = Pacer(rate=rate, window=window, sender=self._sender, lane=lane, wake=self.wake, clock=reactor)
        self._recovery = Recovery(
            outbox=store, lanes={lane.name: lane}, policy=policy, wake=self.wake, draw=draw, **told
        )

    def start(self) -> None:
        """Begin to send; the store must be open."""
        self._gateway.start()
        self._throttle.start()
        self._feeder.start()
        self._pacer.start()
        self._recovery.start()

    def spool_trouble(self) -> str:
        """Why nothing can be read from the spool; empty while all is well."""
        return self._feeder.trouble

    async def stop(self) -> None:
        """Start nothing more; what is being sent gets its answer, and that is written down."""
        self._pacer.stop()
        self._throttle.close()
        await self._feeder.stop()
        await self._recovery.stop()
        await self._sender.drain()
        await self._gateway.close()


class Daemon(Service):
    """The whole daemon in one process, as a Twisted service."""

    name = "smsd"
    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        draw: Callable[[], float],
        engine: Callable[[SpoolUrl, IDaemonReactor], IEngine] = engine_for,
    ) -> None:
        """``now`` is the wall clock in UTC epoch seconds; ``draw`` gives uniform numbers in [0, 1)."""
        self._engine_for = engine
        self._settings = settings
        self._reactor = reactor
        self._now = now
        self._draw = draw
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        """Listen, open the spool, begin. Raises SpoolRefused, SettingsError and twisted's CannotListenError."""
        super().startService()
        settings, reporter = self._settings, LogReporter()
        url = settings.messagebird_url or self._start_sandbox()
        self._store = self._engine_for(settings.spool, self._reactor)
        self._dispatch = Dispatch(
            settings=settings,
            store=self._store,
            url=url,
            reactor=self._reactor,
            now=self._now,
            draw=self._draw,
            reporter=reporter,
        )
        self._intake = Intake(
            inbox=self._store,
            rate=settings.rate,
            backlog_limit=settings.backlog_limit,
            idempotency_s=settings.idempotency * 3600,
            new_id=lambda: str(ULID()),
            now=self._now,
            wake=self._dispatch.wake,
            reporter=reporter,
        )
        # Listening first: it may be refused, and nothing has been begun yet.
        address = self._serve(settings.listen, self._api(reporter).app.resource())
        self._store.open()
        self._dispatch.start()
        self._log.info("listening on {address}, spool {spool}", address=address, spool=settings.spool)
        if settings.sandboxed:
            key = settings.api_keys[0].key.reveal()
            welcome(daemon=address, sandbox=url, data=str(settings.spool), api_key=key)

    def stopService(self) -> Deferred[None]:
        """Take nothing more, send to the end what is under way, close."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._intake.is_open = False
        *sandbox, api = self._ports
        await close(api)
        await self._dispatch.stop()
        await self._store.close()
        for port in sandbox:
            await close(port)

    def _api(self, reporter: IReporter) -> Api:
        store = self._store
        reports = Reports(ledger=store, clock=self._reactor, now=self._now, reporter=reporter)
        return Api(
            intake=self._intake,
            inbox=store,
            ledger=store,
            operations=Operations(ledger=store, now=self._now, wake=self._dispatch.wake, reporter=reporter),
            hooks=Hooks(reports=reports, read=status_report, verify=self._verify),
            keyring=Keyring({each.name: each.key.reveal().encode() for each in self._settings.api_keys}),
            now=self._now,
            defer=partial(deferToThreadPool, self._reactor, self._reactor.getThreadPool()),
            trouble=self._trouble,
        )

    def _start_sandbox(self) -> str:
        sandbox = MessageBirdSandbox(clock=self._reactor, now=self._now, deliver=show, access_key=SANDBOX_KEY.reveal())
        return self._serve(self._settings.sandbox, sandbox.resource())

    def _serve(self, endpoint: str, resource: IResource) -> str:
        self._ports.append(listen(self._reactor, endpoint, site(resource, self._reactor)))
        return address_of(self._ports[-1])

    def _verify(self, *, signature: str, uri: bytes, body: bytes) -> None:
        key, base = self._settings.signing_key, self._settings.public_url
        if key is not None and base is not None:
            verify(key.reveal(), signature=signature, url=public_url(base, uri), body=body)

    def _trouble(self) -> str:
        if not self._intake.is_open:
            return "smsd is stopping"
        if self._dispatch.hold.reason:
            return f"The provider takes nothing: {self._dispatch.hold.reason}"
        return self._dispatch.spool_trouble()
