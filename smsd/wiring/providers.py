"""Puts the lanes to the providers together."""

from collections.abc import Callable
from typing import Any, Final

from smsd.core.retry import Backoff
from smsd.gateway.access import Access
from smsd.pipeline.hold import Hold
from smsd.pipeline.lane import Lane
from smsd.pipeline.throttle import PermitThrottle
from smsd.ports import IBundler, IReporter
from smsd.settings import SANDBOX_KEY, Settings
from smsd.settings.types import PostgresSpoolUrl
from smsd.wiring.extras import extra
from smsd.wiring.reactor import IDaemonReactor
from smsd.workers.apart import apart

#: Seconds, the longest pause between two probes of a provider that holds us off.
PROBE_CAP_S: Final = 60.0

#: Requests a second from which on a process of its own asks the provider: the threads for fewer take little time.
APART: Final = 100


class Providers:
    """A lane to each provider that is known, by its name; and those that are used, the first one first.

    One that is only known is asked what became of what it was sent under an earlier setting.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        url: str | None,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``url`` is where MessageBird answers, or the sandbox. Raises SettingsError for what is not installed."""
        probing = Backoff(base_s=settings.retry_base, cap_s=min(PROBE_CAP_S, settings.retry_cap))
        used = settings.gateway.names
        known = {"messagebird": url is not None, "bird": settings.knows_bird}
        throttles = {name: _throttle(name, settings, reactor) for name in known if known[name] or name in used}
        self._gateways: dict[str, Any] = {}
        self._throttles = throttles
        self.lanes: dict[str, Lane] = {}
        for name, throttle in throttles.items():
            gateway = self._made(name, settings, url, threads=throttle.permits, reactor=reactor, now=now)
            self.lanes[name] = Lane(
                name=name,
                gateway=gateway,
                bundler=gateway if IBundler.providedBy(gateway) else None,
                throttle=throttle,
                hold=Hold(backoff=probing, gateway=name, clock=reactor, now=now, reporter=reporter),
            )
        self.used = [self.lanes[name] for name in used]

    def start(self) -> None:
        """Open for business."""
        for name, gateway in self._gateways.items():
            gateway.start()
            self._throttles[name].start()

    def stop(self) -> None:
        """Let nothing more through."""
        for throttle in self._throttles.values():
            throttle.close()

    async def close(self) -> None:
        """Wait for the answers that are due."""
        for gateway in self._gateways.values():
            await gateway.close()

    def _made(
        self,
        name: str,
        settings: Settings,
        url: str | None,
        *,
        threads: int,
        reactor: IDaemonReactor,
        now: Callable[[], float],
    ) -> Any:
        access = _access(name, settings, url, threads)
        gateway = access.gateway(reactor=reactor, now=now, monotonic=reactor.seconds)
        if settings.rate >= APART and settings.workers != 0 and name in settings.gateway.names:
            gateway = apart(gateway, access, reactor)
        self._gateways[name] = gateway
        return gateway


def _access(name: str, settings: Settings, url: str | None, threads: int) -> Access:
    within: dict[str, Any] = {"name": name, "threads": threads, "timeout_s": settings.timeout}
    if name == "bird" and settings.bird_key is not None:
        _ = extra("smsd.gateway.bird", "bird", "SMSD_GATEWAY=bird")
        key, category = settings.bird_key.reveal(), settings.bird_category.value
        return Access(key=key, url=settings.bird_url, category=category, **within)
    report_url = settings.public_url and settings.public_url + "/messagebird/status"
    key = (settings.messagebird_key or SANDBOX_KEY).reveal()
    return Access(key=key, url=url, report_url=report_url, **within)


def _throttle(lane: str, settings: Settings, reactor: IDaemonReactor) -> Any:
    match settings.spool:
        case PostgresSpoolUrl(url=url):
            module = extra("smsd.spool.postgresql.throttle", "postgresql", "SMSD_SPOOL=postgresql://…")
            return module.PostgresThrottle(
                url.reveal(), lane=lane, rate=settings.rate, timeout_s=settings.timeout, reactor=reactor
            )
        case _:
            return PermitThrottle(rate=settings.rate, clock=reactor)


def bird_events(settings: Settings) -> Any:
    """What reads Bird's signed events; None without their secret. Raises SettingsError for what is not installed."""
    if settings.bird_webhook_secret is None:
        return None
    module = extra("smsd.gateway.bird_events", "bird", "SMSD_BIRD_WEBHOOK_SECRET")
    return module.BirdEvents(settings.bird_webhook_secret.reveal())
