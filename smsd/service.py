"""Composes the daemon: with ``smsd.wiring``, the only place that names concrete classes."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from smsd.api.auth import Gate
from smsd.api.hooks import Hooks
from smsd.api.keys import Keys
from smsd.api.readiness import Readiness
from smsd.api.routes import Api
from smsd.api.site import site
from smsd.core.message import What
from smsd.core.notice import Measure
from smsd.gateway.webhook import inbound, public_url, status_report, verify
from smsd.listening import Certificate, address_of, certificate_of, close, listen
from smsd.pipeline.arrival import Arrivals
from smsd.pipeline.expiry import Expiry
from smsd.pipeline.incoming import Incoming
from smsd.pipeline.operations import Operations
from smsd.pipeline.reports import Reports
from smsd.pipeline.upkeep import Upkeep
from smsd.ports import IEngine, IReporter
from smsd.reporting.fanout import Fanout
from smsd.settings import SANDBOX_KEY, Settings
from smsd.settings.types import SqliteSpoolUrl
from smsd.wiring.accepting import Accepting
from smsd.wiring.archive import Archive
from smsd.wiring.callbacks import Callbacks
from smsd.wiring.dashboard import dashboard, history
from smsd.wiring.dispatch import Dispatch
from smsd.wiring.engines import engine_for
from smsd.wiring.keys import keyring
from smsd.wiring.observing import Observing
from smsd.wiring.providers import Providers, bird_events
from smsd.wiring.reactor import IDaemonReactor


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
        engine: Callable[[Settings, IDaemonReactor, Measure, Callable[[], float]], IEngine] = engine_for,
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
        settings = self._settings
        self._observing = Observing(settings=settings, reactor=self._reactor, now=self._now)
        self._archive = Archive(settings=settings, reactor=self._reactor)
        reporter = self._observing.fanout
        url = self._start_sandbox() if settings.sandboxed else settings.messagebird_url
        providers = Providers(settings=settings, url=url, reactor=self._reactor, now=self._now, reporter=reporter)
        self._store = self._engine_for(settings, self._reactor, self._observing.measure, self._now)
        told: Mapping[str, Any] = {
            "settings": settings,
            "reactor": self._reactor,
            "now": self._now,
            "draw": self._draw,
            "reporter": reporter,
        }
        self._dispatch = Dispatch(
            store=self._store,
            providers=providers,
            measure=self._observing.measure,
            archive=self._archive.archive,
            **told,
        )
        self._callbacks = Callbacks(queue=self._store, **told)
        reporter.add("callbacks", self._callbacks.runner, set(What) - {What.ACCEPTED})
        self._expiry = Expiry(ledger=self._store, clock=self._reactor, now=self._now, reporter=reporter)
        self._upkeep = Upkeep(ledger=self._store, keep_s=settings.keep * 86400, clock=self._reactor, now=self._now)
        # Listening first: it may be refused, and nothing has been begun yet.
        self._keyring = keyring(settings, self._reactor, self._now)
        self._keyring.open()
        gate = Gate(keyring=self._keyring, monotonic=self._reactor.seconds)
        self._accepting = self._accept(reporter, gate)
        api = self._api(reporter, providers, gate)
        self.certificate = certificate_of(settings.listen)
        address = self._serve(settings.listen, self._accepting.site(api.app.resource()), self.certificate)
        self._store.open()
        self._store.listen(self._dispatch.wake)
        self._observing.start(self._store)
        self._archive.start()
        self._dispatch.start()
        self._callbacks.start()
        self._expiry.start()
        self._upkeep.start()
        self._keyring.start()
        self._log.info("listening on {address}, spool {spool}", address=address, spool=settings.spool)
        if settings.sandboxed and url is not None:
            from smsd.sandbox.terminal import welcome

            key = settings.api_keys[0].key.reveal()
            welcome(daemon=address, sandbox=url, data=str(settings.spool), api_key=key)

    def stopService(self) -> Deferred[None]:
        """Take nothing more, send to the end what is under way, close."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._accepting.close()
        *sandbox, api = self._ports
        await close(api)
        await self._accepting.stop()
        self._dashboard.stop()
        await self._dispatch.stop()
        await self._callbacks.stop()
        await self._expiry.stop()
        await self._upkeep.stop()
        await self._keyring.stop()
        await self._observing.stop()
        self._archive.stop()
        await self._store.close()
        for port in sandbox:
            await close(port)

    def _accept(self, reporter: IReporter, gate: Gate) -> Accepting:
        return Accepting(
            settings=self._settings,
            reactor=self._reactor,
            now=self._now,
            inbox=self._store,
            gate=gate,
            outlook=self._dispatch.outlook,
            wake=self._dispatch.wake,
            reporter=reporter,
            measure=self._observing.measure,
        )

    def _api(self, reporter: Fanout, providers: Providers, gate: Gate) -> Api:
        store = self._store
        shared: Mapping[str, Any] = {
            "ledger": store,
            "gate": gate,
            "operations": Operations(ledger=store, now=self._now, wake=self._dispatch.wake, reporter=reporter),
            "arrivals": Arrivals(ledger=store, outlook=self._dispatch.outlook, now=self._now),
        }
        self._dashboard = dashboard(
            inbox=store,
            lanes=providers.used,
            posting=self._accepting.posting,
            keyring=self._keyring,
            counts=history(reporter, self._now),
            stopped=self._stopped,
            sandboxed=self._settings.sandboxed,
            rate=self._settings.rate,
            reactor=self._reactor,
            now=self._now,
            **shared,
        )
        reports = Reports(ledger=store, clock=self._reactor, now=self._now, reporter=reporter)
        return Api(
            door=self._accepting.door,
            queue=store,
            hooks=Hooks(
                reports=reports,
                incoming=self._incoming(reporter),
                read_report=status_report,
                read_inbound=inbound,
                verify=self._verify,
                bird=bird_events(self._settings),
            ),
            keys=Keys(self._keyring),
            dashboard=self._dashboard,
            readiness=self._readiness(),
            render=self._observing.render,
            **shared,
        )

    def _incoming(self, reporter: IReporter) -> Incoming:
        settings, wake = self._settings, self._callbacks.runner.wake
        url, api_key = settings.inbound_url, settings.api_keys[0].name
        return Incoming(queue=self._store, url=url, api_key=api_key, now=self._now, wake=wake, reporter=reporter)

    def _start_sandbox(self) -> str:
        # Only here, since a daemon that sends for real has no use for the room that it takes.
        from smsd.sandbox.messagebird import MessageBirdSandbox
        from smsd.sandbox.terminal import show

        sandbox = MessageBirdSandbox(clock=self._reactor, now=self._now, deliver=show, access_key=SANDBOX_KEY.reveal())
        return self._serve(self._settings.sandbox, site(sandbox.resource(), self._reactor))

    def _serve(self, endpoint: str, factory: IProtocolFactory, certificate: Certificate | None = None) -> str:
        self._ports.append(listen(self._reactor, endpoint, factory, certificate))
        return address_of(self._ports[-1], "http" if certificate is None else "https")

    def _verify(self, *, signature: str, uri: bytes, body: bytes) -> None:
        key, base = self._settings.signing_key, self._settings.public_url
        if key is not None and base is not None:
            verify(key.reveal(), signature=signature, url=public_url(base, uri), body=body)

    def _readiness(self) -> Readiness:
        spool = self._settings.spool
        stops = {
            "accepting": self._closing,
            "provider": self._provider_trouble,
            "spool": self._accepting.trouble,
            "engine": self._engine_trouble,
        }
        return Readiness(
            stops=stops,
            folder=spool.path.resolve().parent if isinstance(spool, SqliteSpoolUrl) else None,
            now=self._now,
            monotonic=self._reactor.seconds,
            drops=self._observing.drops,
        )

    def _closing(self) -> str:
        return "" if self._accepting.is_open else "smsd is stopping"

    def _stopped(self) -> str:
        return self._closing() or self._engine_trouble()

    def _engine_trouble(self) -> str:
        return self._dispatch.spool_trouble() or self._expiry.trouble

    def _provider_trouble(self) -> str:
        reason = self._dispatch.trouble
        return f"The provider takes nothing: {reason}" if reason else ""
