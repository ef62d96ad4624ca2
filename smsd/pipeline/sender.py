"""Takes one leased message to the gateway and writes down what came of it."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smsd.core.errors import LeaseLost, SpoolUnavailable
from smsd.core.message import Message
from smsd.core.notice import Kind, Notice, of
from smsd.core.outcome import Outcome, Unanswered
from smsd.core.settle import Policy, begin, expire, settle
from smsd.pipeline.hold import Hold
from smsd.ports import IGateway, IReporter, ISpool, IThrottle, Lease

#: Seconds a permit is held beyond its span when the request timed out: it may still arrive.
LATE_S: Final = 10.0
#: Seconds between two tries to write down an outcome.
REWRITE_S: Final = 1.0


class Sender:
    """Sends, each in its own coroutine; the outcome is durable before anybody is told."""

    _log = Logger()

    def __init__(
        self,
        *,
        spool: ISpool,
        gateway: IGateway,
        throttle: IThrottle,
        hold: Hold,
        policy: Policy,
        clock: IReactorTime,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        self._spool = spool
        self._gateway = gateway
        self._throttle = throttle
        self._hold = hold
        self._policy = policy
        self._clock = clock
        self._now = now
        self._draw = draw
        self._reporter = reporter
        self._drained: Deferred[None] | None = None
        #: How many sends wait for a permit.
        self.waiting = 0
        #: How many sends have begun and are not settled; those that wait for a permit among them.
        self.in_flight = 0

    def start(self, lease: Lease) -> None:
        """Send ``lease``'s message in the background."""
        self.in_flight += 1
        send = Deferred.fromCoroutine(self._send(lease))
        # The program's one broad catch: a fault of ours must not stop the daemon. The message stays as it is on
        # disk, at worst sending, and is asked for at the next start.
        _ = send.addErrback(lambda failure: self._log.failure("message {id}: send broke", failure, id=lease.message.id))
        _ = send.addCallback(self._ended)

    async def drain(self) -> None:
        """Wait until every send that was begun is settled."""
        if self.in_flight:
            self._drained = Deferred()
            await self._drained

    def _ended(self, _: None) -> None:
        self.in_flight -= 1
        if self._drained is not None and not self.in_flight:
            self._drained.callback(None)

    async def _send(self, lease: Lease) -> None:
        permit = await self._permit(lease)
        if permit is None:
            return
        begun = await self._begin(lease)
        if begun is None:
            self._throttle.put_back(permit)
            return
        self._reporter.report(of(begun.message))
        outcome = await self._gateway.send(begun.message)
        self._give_back(permit, outcome)
        self._hold.note(outcome)
        await self._settle(begun, settle(begun.message, outcome, self._now(), self._policy, self._draw()))

    async def _permit(self, lease: Lease) -> int | None:
        self.waiting += 1
        try:
            return await self._throttle.take()
        except CancelledError:  # we are stopping
            await self._spool.release(lease)
            return None
        finally:
            self.waiting -= 1

    async def _begin(self, lease: Lease) -> Lease | None:
        now = self._now()
        if not self._hold.lets_start(self.in_flight - 1):  # closed while we waited for the permit
            await self._spool.release(lease)
            return None
        stale = lease.message.is_stale(now)
        step = expire(lease.message, now) if stale else begin(lease.message, now)
        try:
            written = await self._spool.settle(lease, step)
        except LeaseLost:
            return None  # canceled while it waited in the window
        except SpoolUnavailable as error:
            self._reporter.report(Notice(kind=Kind.FAULT, at=now, message=lease.message, detail=str(error)))
            await self._spool.release(lease)
            return None
        if stale:
            self._reporter.report(of(written.message))
            return None
        return written

    def _give_back(self, permit: int, outcome: Outcome) -> None:
        late = isinstance(outcome, Unanswered) and outcome.late
        self._throttle.give_back(permit, LATE_S if late else 0.0)

    async def _settle(self, lease: Lease, after: Message) -> None:
        while True:
            try:
                settled = await self._spool.settle(lease, after)
            except SpoolUnavailable as error:
                # The provider has answered: only the note is missing. Until it is written, the lease is kept.
                self._reporter.report(Notice(kind=Kind.FAULT, at=self._now(), message=after, detail=str(error)))
                await deferLater(self._clock, REWRITE_S)
            else:
                # Settle before notifying: a repeated notice is harmless, a lost one is not.
                self._reporter.report(of(settled.message))
                return
