"""Asks the provider for the status reports that never came."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from smsd.core.errors import UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.outcome import LookupFailed
from smsd.core.report import Report
from smsd.core.settle import asked
from smsd.pipeline.lane import Lane, gateway_of
from smsd.pipeline.reports import amend
from smsd.pipeline.rounds import Rounds
from smsd.ports import ILedger, IOutbox, IReporter, Lease

#: Seconds between two looks for messages that are due.
POLL_S: Final = 1.0
#: Messages leased in one look; they are asked for one after the other.
BATCH: Final = 20
#: Seconds between two asks: of the 50 GET a second that MessageBird allows, most are for what is uncertain.
PAUSE_S: Final = 0.1


class Asking:
    """Works through what was sent long ago without a verdict, in the background and one by one."""

    def __init__(
        self,
        *,
        outbox: IOutbox,
        ledger: ILedger,
        lanes: Mapping[str, Lane],
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``outbox`` and ``ledger`` are of one spool; ``lanes`` go by their names."""
        self._outbox = outbox
        self._ledger = ledger
        self._lanes = lanes
        self._clock = clock
        self._now = now
        self._reporter = reporter
        self._rounds = Rounds(
            take=self._take,
            work=self._ask,
            every_s=POLL_S,
            outbox=outbox,
            clock=clock,
            now=now,
            reporter=reporter,
        )

    def start(self) -> None:
        """Look now, and again and again."""
        self._rounds.start()

    async def stop(self) -> None:
        """Break off the ask under way, which may be long, and begin no other."""
        await self._rounds.stop()

    async def _take(self) -> list[Lease]:
        return await self._outbox.lease(self._now(), BATCH, State.SENT)

    async def _ask(self, lease: Lease) -> None:
        result = await self._reports(lease.message)

        def step(message: Message) -> Message:
            return asked(message, result, self._now())

        with suppress(UnknownMessage):  # it may have been forgotten meanwhile
            # Not store(lease, …): it would overwrite what came by itself meanwhile.
            await amend(self._ledger, lease.message.id, step, self._reporter)
        await self._outbox.release(lease)
        await deferLater(self._clock, PAUSE_S)

    async def _reports(self, message: Message) -> tuple[Report, ...] | LookupFailed:
        gateway = gateway_of(message, self._lanes)
        return gateway if isinstance(gateway, LookupFailed) else await gateway.reports(message)
