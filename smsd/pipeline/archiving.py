"""Puts a letter of each dead message into the archive, until it is there."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from twisted.internet.interfaces import IReactorTime

from smsd.core import letter
from smsd.core.errors import UnknownMessage
from smsd.core.letter import ArchiveFailed
from smsd.core.lifecycle import State
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.retry import Backoff
from smsd.core.settle import archived
from smsd.pipeline.rounds import Rounds
from smsd.ports import IArchive, ILedger, IOutbox, IReporter, Lease

#: Seconds between two looks for dead messages.
POLL_S: Final = 1.0
#: Letters that are put in one look, one after the other.
BATCH: Final = 20
#: Seconds that the archive is left alone after it failed, and then longer and longer.
PAUSE: Final = Backoff(base_s=2.0, cap_s=300.0)


class Archiving:
    """Works through the dead: they are in the spool anyway, so an archive that is away delays nothing but itself."""

    def __init__(
        self,
        *,
        archive: IArchive,
        outbox: IOutbox,
        ledger: ILedger,
        clock: IReactorTime,
        now: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        """``outbox`` and ``ledger`` are of one spool."""
        self._archive = archive
        self._outbox = outbox
        self._ledger = ledger
        self._clock = clock
        self._now = now
        self._reporter = reporter
        self._failures = 0
        self._next_at = 0.0
        self._rounds = Rounds(
            take=self._take,
            work=self._put,
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
        """Break off what is being put; it is put again at the next start."""
        await self._rounds.stop()

    async def _take(self) -> list[Lease]:
        if self._clock.seconds() < self._next_at:
            return []
        return await self._outbox.lease(self._now(), 1 if self._failures else BATCH, State.DEAD)

    async def _put(self, lease: Lease) -> None:
        message = lease.message
        try:
            if self._clock.seconds() >= self._next_at:
                await self._archive.put(letter.key(message), letter.write(message))
                self._failures, self._next_at = 0, 0.0
                with suppress(UnknownMessage):
                    await self._ledger.amend(message.id, lambda each: archived(each, message.changed_at))
        except ArchiveFailed as failed:
            self._failures += 1
            self._next_at = self._clock.seconds() + PAUSE.delay_s(self._failures, 1.0)
            self._reporter.report(Notice(what=What.FAULT, at=self._now(), detail=str(failed)))
        await self._outbox.release(lease)
