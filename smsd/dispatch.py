"""Composes the sending half, and what tells receivers of it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smsd.callbacks.guard import IGuardReactor
from smsd.callbacks.http import HttpCallbacks
from smsd.callbacks.names import INamesReactor, SystemNames
from smsd.callbacks.runner import CallbackRunner
from smsd.core.errors import SpoolUnavailable
from smsd.core.notice import Measure
from smsd.core.retry import Backoff
from smsd.core.settle import Policy
from smsd.gateway.messagebird import IGatewayReactor, MessageBirdGateway
from smsd.pipeline.archiving import Archiving
from smsd.pipeline.asking import Asking
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.hold import Hold
from smsd.pipeline.lane import Lane
from smsd.pipeline.outage import Outage
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.sender import Sender
from smsd.pipeline.throttle import PermitThrottle
from smsd.pipeline.window import Window
from smsd.ports import IArchive, ICallbackQueue, IEngine, IReporter
from smsd.settings import SANDBOX_KEY, Settings
from smsd.spool.writer import IWriterReactor

#: Seconds, the longest pause between two probes of a provider that holds us off.
PROBE_CAP_S: Final = 60.0
#: Seconds between two tries to begin with a spool that does not answer.
AGAIN_S: Final = 1.0


class IDaemonReactor(IGatewayReactor, IGuardReactor, INamesReactor, IWriterReactor):
    """What the daemon needs of a reactor; its ``seconds`` must be monotonic."""


class Dispatch:
    """The sending half, from the spool to the provider and back."""

    _log = Logger()

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
        measure: Measure,
        archive: IArchive | None,
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
        self.hold = Hold(backoff=probing, gateway="messagebird", **told)
        lane = Lane(name="messagebird", gateway=self._gateway, throttle=throttle, hold=self.hold)
        window = Window()
        self._feeder = Feeder(outbox=store, window=window, rate=rate, **told)
        self.wake = self._feeder.wake
        self._clock = reactor
        self._outage = None
        if settings.stale:
            can_send, give_back = (lambda: not self.hold.reason), self._feeder.give_back
            self._outage = Outage(outbox=store, stale_s=settings.stale, can_send=can_send, give_back=give_back, **told)
        self._sender = Sender(
            outbox=store, lane=lane, policy=policy, refill=self._feeder.refill, draw=draw, measure=measure, **told
        )
        self._pacer = Pacer(rate=rate, window=window, sender=self._sender, lane=lane, wake=self.wake, clock=reactor)
        lanes = {lane.name: lane}
        self._rounds: list[Recovery | Asking | Archiving] = [
            Recovery(outbox=store, lanes=lanes, policy=policy, wake=self.wake, draw=draw, **told),
            Asking(outbox=store, ledger=store, lanes=lanes, **told),
        ]
        if archive is not None:
            self._rounds.append(Archiving(archive=archive, outbox=store, ledger=store, **told))

    def start(self) -> None:
        """Begin to send; the store must be open."""
        self._gateway.start()
        self._throttle.start()
        self._pacer.start()
        for each in self._rounds:
            each.start()
        self._feeding = Deferred.fromCoroutine(self._feed())
        _ = self._feeding.addErrback(self._broke)

    def pace(self) -> float:
        """Requests a second that the provider is given at the moment."""
        return self._throttle.pace

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
        self._throttle.close()
        if self._outage is not None:
            await self._outage.stop()
        await self._feeder.stop()
        for each in self._rounds:
            await each.stop()
        await self._sender.drain()
        await self._gateway.close()


class Callbacks:
    """What tells receivers of changes of state, and of incoming messages."""

    def __init__(
        self,
        *,
        settings: Settings,
        queue: ICallbackQueue,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        self._names = SystemNames(reactor)
        secrets, allow_private = settings.signing_secrets, settings.callback_private
        http = HttpCallbacks(reactor, now, secrets, names=self._names, allow_private=allow_private)
        self.runner = CallbackRunner(queue=queue, post=http.post, clock=reactor, now=now, draw=draw, reporter=reporter)

    def start(self) -> None:
        """Begin to post; the queue must be open."""
        self._names.start()
        self.runner.start()

    async def stop(self) -> None:
        """Break off what is being posted; it is due again at the next start."""
        await self.runner.stop()
        await self._names.close()
