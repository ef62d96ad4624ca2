"""Settles messages of which nobody knows whether they were sent, by asking the provider."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smsd.core.errors import LeaseLost, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.notice import Kind, Notice, of
from smsd.core.settle import Policy, clear_up
from smsd.ports import IGateway, IReporter, ISpool, Lease

#: Seconds between two looks for uncertain messages.
POLL_S: Final = 0.5
#: Messages leased in one look; they are asked for one after the other.
BATCH: Final = 20


class Recovery:
    """Works through what is uncertain, in the background and one by one; the sends never wait for it."""

    _log = Logger()

    def __init__(
        self,
        *,
        spool: ISpool,
        gateway: IGateway,
        policy: Policy,
        wake: Callable[[], None],
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``wake`` is called when a message is queued again."""
        self._spool = spool
        self._gateway = gateway
        self._policy = policy
        self._wake = wake
        self._now = now
        self._reporter = reporter
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self._ended: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Look now, and again and again."""
        self._ended = self._loop.start(POLL_S)

    async def stop(self) -> None:
        """Finish the lookup under way and begin no other."""
        if self._ended is not None:
            self._loop.stop()
            await self._ended

    def _look(self) -> Deferred[None]:
        look = Deferred.fromCoroutine(self._clear())
        # A fault of ours must not end the looking: a LoopingCall stops at the first failure.
        return look.addErrback(lambda failure: self._log.failure("asking for uncertain messages broke", failure))

    async def _clear(self) -> None:
        try:
            for lease in await self._spool.lease(self._now(), BATCH, State.UNCERTAIN):
                await self._ask(lease)
        except SpoolUnavailable as error:
            self._reporter.report(Notice(kind=Kind.FAULT, at=self._now(), detail=str(error)))

    async def _ask(self, lease: Lease) -> None:
        if not self._loop.running:
            await self._spool.release(lease)
            return
        result = await self._gateway.lookup(lease.message)
        after = clear_up(lease.message, result, self._now(), self._policy)
        try:
            settled = await self._spool.settle(lease, after)
        except LeaseLost:
            return  # somebody else has settled it
        except SpoolUnavailable:
            await self._spool.release(lease)
            raise
        if after.state is not State.UNCERTAIN:
            self._reporter.report(of(settled.message))
            self._wake()
