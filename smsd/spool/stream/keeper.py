"""Has a snapshot taken when one is due, beside everything else."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.notice import Measure, Took
from smsd.spool.stream.shelf import Keeping, Snapshot
from smsd.spool.stream.snapshots import Ended, Snapshots
from smsd.spool.writer import IWriterReactor

T = TypeVar("T")

#: Seconds between two looks at whether one is due, at most.
LOOK_S: Final = 60.0
#: Looks in the time from one to the next, at least.
LOOKS: Final = 4
#: Seconds until it is tried again after it failed, at most.
AGAIN_S: Final = 600.0


class Keeper:
    """One node's; its methods are for the reactor's thread."""

    _logger = Logger()

    def __init__(
        self,
        snapshots: Snapshots,
        ledger: Path,
        keeping: Keeping,
        *,
        reactor: IWriterReactor,
        is_ours: Callable[[], bool],
        forget: Callable[[Sequence[str]], Awaitable[None]],
        measure: Measure,
    ) -> None:
        """Take some of ``ledger`` as ``keeping`` says, while ``is_ours`` is true of this node.

        ``forget`` is told the positions that the log must be kept from.
        """
        self._snapshots = snapshots
        self._ledger = ledger
        self._every_s, self._now = keeping.timing.every_s, keeping.timing.now
        self._reactor = reactor
        self._is_ours = is_ours
        self._forget = forget
        self._measure = measure
        self._due_at = 0.0
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._threads = ThreadPool(0, 1, name="smsd-snapshot")
        self._ended: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._threads.start()
        self._ended = self._looking.start(min(LOOK_S, self._every_s / LOOKS), now=False)

    async def stop(self) -> None:
        """End, and what is under way with it."""
        self._snapshots.end()
        if self._looking.running:
            self._looking.stop()
        if self._ended is not None:
            await self._ended
        self._threads.stop()

    def _look(self) -> Deferred[None] | None:
        if self._now() < self._due_at or not self._is_ours():
            return None
        return Deferred.fromCoroutine(self._see_to_it()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._due_at = self._now() + min(AGAIN_S, self._every_s)
        match failure.value:
            case Ended():
                pass
            case SpoolUnavailable(reason=reason) | SpoolRefused(reason=reason):
                self._complain(reason)
            case sqlite3.Error() | OSError() as error:
                self._complain(str(error))
            case _:
                self._logger.failure("taking a snapshot broke", failure)

    def _complain(self, reason: str) -> None:
        self._logger.warn("the stream is not cut back to a new snapshot: {reason}", reason=reason)

    async def _see_to_it(self) -> None:
        # Another node may have taken one, which had the lane before us.
        latest = await self._aside(self._latest)
        if latest is None or latest.made_at + self._every_s <= self._now():
            began_at = self._reactor.seconds()
            *_, latest = kept = await self._aside(lambda: self._snapshots.take(self._ledger))
            self._measure(Took.SNAPSHOT, [self._reactor.seconds() - began_at])
            self._logger.info(
                "snapshot of what is in the stream up to {snapshot.position}: {snapshot.contents.octets} octets",
                snapshot=latest,
            )
            if len(kept) > 1:
                await self._forget([each.position for each in kept])
        self._due_at = latest.made_at + self._every_s

    def _latest(self) -> Snapshot | None:
        listed = self._snapshots.listed()
        return listed[-1] if listed else None

    def _aside(self, work: Callable[[], T]) -> "Deferred[T]":
        return deferToThreadPool(self._reactor, self._threads, work)
