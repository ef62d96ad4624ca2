"""Has a snapshot taken when one is due, beside everything else."""

import math
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.notice import Measure, Took
from smsd.spool.stream.shelf import Snapshot, Timing
from smsd.spool.stream.snapshots import Ended, Snapshots
from smsd.spool.writer import IWriterReactor

T = TypeVar("T")

#: Seconds between two looks at whether one is due, at most.
LOOK_S: Final = 60.0
#: Looks in the time from one to the next, at least.
LOOKS: Final = 4
#: Snapshots that are kept. The log is kept from the older of them on: if the newer cannot be read, that one can.
KEPT: Final = 2
#: Seconds until it is tried again after it failed, and then longer and longer.
AGAIN_S: Final = 600.0


class Keeper:
    """One node's; its methods are for the reactor's thread."""

    _logger = Logger()

    def __init__(
        self,
        snapshots: Snapshots,
        timing: Timing,
        *,
        reactor: IWriterReactor,
        is_ours: Callable[[], bool],
        cut: Callable[[Sequence[str]], None],
        measure: Measure,
    ) -> None:
        """Take one as often as ``timing`` says, while ``is_ours`` is true of this node.

        ``cut`` is told the positions that the log must be kept from; it may block.
        """
        self._snapshots = snapshots
        self._every_s, self._now = timing.every_s, timing.now
        self._reactor = reactor
        self._is_ours = is_ours
        self._cut = cut
        self._measure = measure
        self._due_at = -math.inf
        self._failures = 0  #: in a row
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._threads = ThreadPool(0, 1, name="smsd-snapshot")
        self._ended: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._threads.start()
        self._ended = self._looking.start(min(LOOK_S, self._every_s / LOOKS), now=False)

    def end(self) -> None:
        """Look no more, and have what is under way end."""
        self._snapshots.end()
        if self._looking.running:
            self._looking.stop()

    async def stop(self) -> None:
        """Return when it has ended."""
        if self._ended is not None:
            await self._ended
        self._threads.stop()

    def _look(self) -> Deferred[None] | None:
        if self._reactor.seconds() < self._due_at or not self._is_ours():
            return None
        return Deferred.fromCoroutine(self._see_to_it()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._failures += 1
        self._wait(min(AGAIN_S * 2 ** (self._failures - 1), self._every_s))
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
        listed = await self._aside(self._snapshots.listed)
        # Another node may have taken one, which had the lane before us; or not yet, by a clock that was ahead.
        if not any(self._now() - self._every_s < each.made_at <= self._now() for each in listed[-1:]):
            began_at = self._reactor.seconds()
            await self._aside(self._snapshots.take)
            self._measure(Took.SNAPSHOT, [self._reactor.seconds() - began_at])
            listed = await self._aside(self._snapshots.listed)
            self._tell(listed[-1])
        kept = listed[-KEPT:]
        if len(kept) == KEPT:
            await self._aside(lambda: self._cut([each.position for each in kept]))
            await self._aside(lambda: self._snapshots.let_go(kept))
        self._failures = 0
        self._wait(min(self._every_s, max(0.0, kept[-1].made_at + self._every_s - self._now())))

    def _wait(self, wait_s: float) -> None:
        self._due_at = self._reactor.seconds() + wait_s

    def _tell(self, snapshot: Snapshot) -> None:
        self._logger.info(
            "snapshot of what is in the stream up to {snapshot.position}: {snapshot.contents.octets} octets",
            snapshot=snapshot,
        )

    def _aside(self, work: Callable[[], T]) -> "Deferred[T]":
        return deferToThreadPool(self._reactor, self._threads, work)
