"""Keeps messages in a stream, for any number of nodes: all accept, one at a time sends."""

import math
import secrets
import sqlite3
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smsd.core.callback import Callback
from smsd.core.errors import SpoolRefused, SpoolUnavailable, UnknownMessage
from smsd.core.message import Message
from smsd.core.notice import Measure, unmeasured
from smsd.core.report import Inbound
from smsd.core.turns import AGEING_S
from smsd.ports import IEngine
from smsd.spool import schema
from smsd.spool.jobs import Simply
from smsd.spool.postbox import Postbox
from smsd.spool.sqlitetable import SqliteTable
from smsd.spool.sqlspool import SqlSpool
from smsd.spool.stream import command
from smsd.spool.stream.command import Command
from smsd.spool.stream.desk import StreamDesk
from smsd.spool.stream.jobs import Follow, Propose, TakeCallbacks
from smsd.spool.stream.journal import Journal
from smsd.spool.stream.keeper import Keeper
from smsd.spool.stream.ledger import lead_on, open_ledger, place_of
from smsd.spool.stream.log import Log, LogLost, LogTrouble
from smsd.spool.stream.shelf import Keeping, Timing
from smsd.spool.stream.snapshots import Ended, Snapshots
from smsd.spool.stream.table import StreamTable
from smsd.spool.stream.tenure import Tenure
from smsd.spool.tally import Tally
from smsd.spool.writer import IWriterReactor

#: Seconds after which a silent owner of the lane counts as gone, unless set otherwise.
LEASE_S: Final = 5.0
#: Seconds that the log is waited for, unless set otherwise: longer than it takes Kafka to find another leader once it
#: knows that one is gone. One that was killed it misses only after its session timeout, 9 s; until then we answer 503.
PATIENCE_S: Final = 4.0
#: Seconds that a new owner waits before it sends, unless set otherwise: one span of the rate, and some for the network.
PAUSE_S: Final = 1.5
#: Seconds between two looks into the log, when nothing else leads there.
FOLLOW_S: Final = 0.05
#: Seconds between two tries to begin anew, in a node that was stopped for longer than the log goes back.
ANEW_S: Final = 10.0
#: Seconds that a lock which somebody else (a backup, a shell) has on the ledger is waited for.
BUSY_S: Final = 2.0


@implementer(IEngine)
class StreamSpool(SqlSpool):
    """A spool in a log, and one node's ledger of it in a file."""

    trouble = sqlite3.Error
    _logger = Logger()

    def __init__(
        self,
        log: Log,
        *,
        name: str,
        ledger: str,
        reactor: IWriterReactor,
        lease_s: float = LEASE_S,
        pause_s: float = PAUSE_S,
        patience_s: float = PATIENCE_S,
        ageing_s: float = AGEING_S,
        follow_s: float = FOLLOW_S,
        keeping: Keeping | None = None,
        measure: Measure = unmeasured,
    ) -> None:
        """Keep messages in ``log``, called ``name``, and what came of them in the file ``ledger``, or one beside it.

        A sending node that is silent for ``lease_s`` seconds counts as gone; the next one waits ``pause_s`` seconds,
        which must be more than one span of the rate. What the log does not do within ``patience_s`` seconds has
        failed. With ``keeping`` snapshots are taken, and the log lets go of what is before them.
        """
        super().__init__(reactor=reactor, measure=measure)
        self._log = log
        self._name = name
        self._path = Path(ledger).resolve()
        self._clock = reactor
        self._lease_s = lease_s
        self._pause_s = pause_s
        self._patience_s = patience_s
        self._ageing_s = ageing_s
        self._follow_s = follow_s
        self._keeping = keeping
        self._keeper: Keeper | None = None
        self._anew: Callable[[], None] | None = None  # on the writer's thread
        self._anew_at = -math.inf
        self._following = LoopingCall(self._follow)
        self._following.clock = reactor
        self._wake: Callable[[], None] = lambda: None
        self._author = ""

    def open(self) -> None:
        """Open the ledger, connect, read the log to its end, start the threads; may block. Raises SpoolRefused."""
        with ExitStack() as undo:
            try:
                self._make_ready(undo)
            except sqlite3.Error as error:
                raise SpoolRefused(reason=f"{self._path}: {error}") from error
            except OSError as error:
                raise SpoolRefused(reason=f"{self._path}: {error.strerror}") from error
            except SpoolUnavailable as error:
                raise SpoolRefused(reason=f"{self._name}: {error.reason}") from error
            self._held = undo.pop_all()
        _ = self._following.start(self._follow_s, now=False)
        if self._keeper is not None:
            self._keeper.start()

    def listen(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, on the reactor's thread, when another node may have left something to do."""
        self._wake = wake

    async def close(self) -> None:
        """Finish every job, let another node send, let go of everything; does nothing if it is not open."""
        if not self._is_open:
            return
        self._following.stop()
        leaving = self._submit(Simply(write=self._desk.leave))
        self._is_open = False
        if self._keeper is not None:
            self._keeper.end()
        with suppress(SpoolUnavailable):
            await leaving
        if self._keeper is not None:
            await self._keeper.stop()
        await self._stop(self._held.close)

    def _make_ready(self, undo: ExitStack) -> None:
        self._author = secrets.token_hex(8)  # of this run, and no other
        identity = self._log.open()
        undo.callback(self._log.close)
        log = f"{self._name} {identity}"
        path, writing, journal = open_ledger(undo, self._path, log, busy_s=BUSY_S)
        self._logger.info("{name}: ledger {path}", name=self._name, path=path)
        if self._keeping is not None:
            snapshots = Snapshots(self._keeping, log, path)
            undo.callback(snapshots.close)
            lead_on(journal, self._log, snapshots, writing)
            self._anew = partial(self._begin_anew, journal, snapshots, path, writing)
            self._keeper = self._keeper_of(snapshots, self._keeping.timing) if self._keeping.timing.every_s else None
        self._ledger, postbox = StreamTable(writing), Postbox(writing)
        self._desk = self._desk_on(self._ledger, postbox, journal, place_of(path))
        self._desk.catch_up()
        reading = undo.enter_context(closing(schema.connect_to_read(path, busy_s=BUSY_S)))
        self._start(self._desk, (self._ledger, postbox), (SqliteTable(reading, lambda: None), Postbox(reading)))

    def _desk_on(self, table: StreamTable, postbox: Postbox, journal: Journal, place: str) -> StreamDesk:
        author, monotonic = self._author, self._clock.seconds
        dead = journal.hand_over(author, place)
        times = {"lease_s": self._lease_s, "pause_s": self._pause_s}
        tenure = Tenure(author, journal.lane, dead, monotonic=monotonic, **times)
        return StreamDesk(
            table,
            postbox,
            journal,
            self._log,
            author=author,
            tenure=tenure,
            ageing_s=self._ageing_s,
            patience_s=self._patience_s,
            monotonic=monotonic,
        )

    def _begin_anew(self, journal: Journal, snapshots: Snapshots, ledger: Path, writing: sqlite3.Connection) -> None:
        """Do as a new node does: this one was stopped for longer than the log goes back."""
        try:
            if lead_on(journal, self._log, snapshots, writing):
                _ = journal.hand_over(self._author, place_of(ledger))
                self._desk.begin_anew()
        except SpoolRefused as refused:
            raise LogTrouble(reason=refused.reason) from None
        except OSError as error:
            raise LogTrouble(reason=f"{ledger}: {error.strerror}") from None
        except Ended:
            raise LogTrouble(reason="it is closed") from None

    def _keeper_of(self, snapshots: Snapshots, timing: Timing) -> Keeper:
        is_ours = lambda: self._desk.is_sending  # noqa: E731
        told: dict[str, Any] = {"reactor": self._clock, "measure": self._measure}
        return Keeper(snapshots, timing, is_ours=is_ours, cut=self._log.cut, **told)

    def _follow(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._followed()).addErrback(self._broke)

    async def _followed(self) -> None:
        with suppress(SpoolUnavailable):  # of that, whoever accepts or sends speaks already
            try:
                count = await self._submit(Follow())
            except LogLost:
                if self._anew is not None and self._clock.seconds() >= self._anew_at:
                    self._anew_at = self._clock.seconds() + ANEW_S
                    await self._submit(Simply(write=self._anew))
            else:
                if count:
                    self._wake()

    def _broke(self, failure: Failure) -> None:
        self._logger.failure("following the stream broke", failure)

    async def find(self, id: str) -> Message:
        """The message ``id`` as it is stored. Raises UnknownMessage and SpoolUnavailable."""
        try:
            return await super().find(id)
        except UnknownMessage:
            await self._submit(Follow(is_to_the_end=True))  # another node may have accepted it just now
            return await super().find(id)

    async def overdue(self, now: float, limit: int) -> Sequence[str]:
        """The ids of up to ``limit`` queued messages whose validity has ended, if we have the lane; see ILedger."""
        return await super().overdue(now, limit) if self._desk.is_sending else []

    async def forget(self, before: float, limit: int) -> int:
        """Remove text and numbers of up to ``limit`` finished messages; see ILedger."""

        def make() -> Sequence[Command]:
            return [(command.FORGET, self._ledger.over(before, limit), before, limit)]

        return await self._submit(Propose(make=make, conclude=sum, otherwise=lambda: 0))

    async def beat(self, now: float) -> float | None:
        """Write down that messages could be sent at ``now``, if we have the lane; see IOutbox."""
        make, last = (lambda: [(command.BEAT, now)]), self._ledger.last_beat
        return await self._submit(Propose(make=make, conclude=lambda answers: answers[0], otherwise=last))

    async def hold(self, before: float, limit: int) -> int:
        """Hold up to ``limit`` messages in line since before ``before``, if we have the lane; see IOutbox."""

        def make() -> Sequence[Command]:
            waiting = self._ledger.waiting_since(before, limit)
            return [command.change(each, attrs.evolve(each, is_held=True), is_ours=True) for each in waiting]

        return await self._submit(Propose(make=make, conclude=sum, otherwise=lambda: 0))

    async def unhold(self, since: float, now: float, limit: int) -> int:
        """Let up to ``limit`` held messages accepted since ``since`` into their lines again; see ILedger."""

        def make() -> Sequence[Command]:
            held = self._ledger.held(since, limit)
            free = [(each, attrs.evolve(each, is_held=False, changed_at=now)) for each in held]
            return [command.change(each, after, is_ours=False) for each, after in free]

        return await self._submit(Propose(make=make, conclude=sum))

    async def take_callbacks(
        self, now: float, until: float, limit: int, per_host: int, without: Set[str]
    ) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``, if we have the lane; see ICallbackQueue."""
        take = lambda: self._desk.take_callbacks(now, until, limit, per_host, without)  # noqa: E731
        return await self._submit(TakeCallbacks(take=take))

    async def settle_callback(self, callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``. Raises SpoolUnavailable."""
        make: Callable[[], Sequence[Command]] = lambda: [command.callback(callback, after)]  # noqa: E731
        await self._submit(Propose[None](make=make, conclude=lambda answers: None))

    async def silence(self, id: str) -> None:
        """Owe nobody anything more of message ``id``. Raises SpoolUnavailable."""
        make: Callable[[], Sequence[Command]] = lambda: [(command.SILENCE, id)]  # noqa: E731
        await self._submit(Propose[None](make=make, conclude=lambda answers: None))

    async def receive(self, inbound: Inbound, callback: Callback | None) -> bool:
        """Keep an incoming message; see ICallbackQueue."""
        make: Callable[[], Sequence[Command]] = lambda: [command.receive(inbound, callback)]  # noqa: E731
        return await self._submit(Propose[Any](make=make, conclude=lambda answers: answers[0]))

    async def _tally(self) -> Tally:
        self._check_open()
        return self._desk.tally
