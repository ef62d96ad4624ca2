"""Keeps messages in an SQLite file: a message is durable once its append returns."""

import sqlite3
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from smsd.core.callback import Callback
from smsd.core.claim import Claim, Claimed
from smsd.core.errors import SpoolRefused, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import Measure, unmeasured
from smsd.core.query import Page, Query
from smsd.core.quota import Quota
from smsd.core.report import Inbound
from smsd.core.standing import Standing
from smsd.core.turns import AGEING_S, Place, ahead
from smsd.ports import IEngine, Lease
from smsd.spool import record, schema
from smsd.spool.desk import Desk
from smsd.spool.jobs import Amend, Append, Move, Recover, Release, Simply, Store, Take
from smsd.spool.postbox import Postbox
from smsd.spool.table import Table, change
from smsd.spool.writer import IWriterReactor, Job, Writer

T = TypeVar("T")

#: Seconds that a lock which somebody else (a backup, a shell) has on the file is waited for.
BUSY_S: Final = 2.0


@implementer(IEngine)
class SqliteSpool:
    """A spool and ledger in one file, for one daemon at a time."""

    def __init__(
        self,
        path: str,
        *,
        reactor: IWriterReactor,
        ageing_s: float = AGEING_S,
        busy_s: float = BUSY_S,
        measure: Measure = unmeasured,
    ) -> None:
        """Keep messages in the file ``path``; if another program locks it, wait up to ``busy_s`` seconds.

        What is ``ageing_s`` seconds in line rises, see core.turns.
        """
        self._path = Path(path).resolve()
        self._reactor = reactor
        self._ageing_s = ageing_s
        self._busy_s = busy_s
        self._measure = measure
        self._held: ExitStack | None = None

    def open(self) -> None:
        """Lock, check and migrate the file, take stock, start the threads. Raises SpoolRefused."""
        with ExitStack() as undo:
            try:
                self._make_ready(undo)
            except sqlite3.Error as error:
                raise SpoolRefused(reason=f"{self._path}: {error}") from error
            except OSError as error:
                raise SpoolRefused(reason=f"{self._path}: {error.strerror}") from error
            self._held = undo.pop_all()
        self._writer = Writer(self._desk.work, reactor=self._reactor, name="smsd-spool-write", measure=self._measure)
        self._writer.start()
        self._readers = ThreadPool(1, 1, name="smsd-spool-read")
        self._readers.start()

    async def close(self) -> None:
        """Finish every job, then let go of the file; does nothing if it is not open."""
        if self._held is None:
            return
        held, self._held = self._held, None
        await self._writer.stop()
        await deferToThreadPool(self._reactor, self._readers, held.close)
        self._readers.stop()

    async def append(
        self, messages: Sequence[Message], limit: int, claim: Claim | None = None, quotas: Sequence[Quota] = ()
    ) -> Place:
        """Keep ``messages``, all or none; the answer is their place in line.

        Raises Claimed, QuotaExceeded, SpoolFull, SpoolUnavailable, and ValueError if one of them cannot be stored: its
        id is, or its text is no Unicode.
        """
        rows = [record.to_row(message) for message in messages]
        return await self._submit(Append(messages=messages, rows=rows, limit=limit, claim=claim, quotas=quotas))

    async def claimed(self, api_key: str, key: str, now: float) -> Claimed | None:
        """What an idempotency key stands for at ``now``, if anything. Raises SpoolUnavailable."""
        return await self._read(self._reading.claimed, api_key, key, now)

    async def recover(self, now: float) -> int:
        """Make uncertain, as of ``now``, what was being sent and nobody here leases; the answer is how many."""
        return await self._submit(Recover(now=now))

    async def lease(self, now: float, limit: int, state: State = State.QUEUED) -> list[Lease]:
        """Lease up to ``limit`` messages in ``state`` that are due at ``now`` (UTC epoch seconds).

        Raises SpoolUnavailable.
        """
        take = Take(now=now, limit=limit, state=state)
        try:
            return await self._submit(take)
        except CancelledError:
            # Whoever asked has left: with nobody to settle or release them, they would be held until a restart.
            await self._submit(Release(leases=take.taken))
            raise

    async def store(self, lease: Lease, after: Message) -> Lease:
        """Make ``after`` durable in place of ``lease.message``. Raises LeaseLost and SpoolUnavailable."""
        return await self._submit(Store(lease=lease, after=after, change=change(lease.message, after)))

    async def release(self, lease: Lease) -> None:
        """Give ``lease`` back. Raises SpoolUnavailable once it is closed."""
        await self._submit(Release(leases=[lease]))

    async def standing(self) -> Standing:
        """How much there is, as of the last commit. Raises SpoolUnavailable."""
        tally = self._desk.tally
        oldest = await self._read(self._reading.oldest, list(tally.in_line))
        return Standing(depth=tally.depth, in_line=tally.in_line, recipients=tally.recipients, oldest=oldest)

    async def find(self, id: str) -> Message:
        """The message ``id`` as it is stored. Raises UnknownMessage and SpoolUnavailable."""
        message = await self._read(self._reading.find, id)
        if message is None:
            raise UnknownMessage(id=id)
        return message

    async def search(self, query: Query) -> Page:
        """A page of the messages that ``query`` admits, newest first. Raises SpoolUnavailable."""
        return await self._read(self._reading.search, query)

    async def amend(self, id: str, step: Callable[[Message], Message]) -> Message:
        """Make ``step(message)`` durable in place of the message ``id``; see ILedger."""
        return await self._submit(Amend(id=id, step=step))

    async def ahead(self, id: str) -> int | None:
        """How many go before message ``id`` if nothing else comes. Raises UnknownMessage and SpoolUnavailable."""
        message = await self.find(id)
        before = await self._read(self._reading.before, message)
        return None if before is None else ahead(self._desk.tally.in_line, message, before)

    async def forget(self, before: float, limit: int) -> int:
        """Remove text and numbers of up to ``limit`` finished messages; see ILedger."""
        forgotten = await self._submit(Simply(write=lambda: self._table.forget(before, limit)))
        return forgotten + await self._submit(Simply(write=lambda: self._postbox.forget(before, limit)))

    async def beat(self, now: float) -> float | None:
        """Write down that messages could be sent at ``now``; see IOutbox."""
        return await self._submit(Simply(write=lambda: self._table.beat(now)))

    async def hold(self, before: float, limit: int) -> int:
        """Hold up to ``limit`` messages in line since before ``before``; see IOutbox."""
        return await self._submit(Move(move=lambda: self._table.hold(before, limit)))

    async def unhold(self, since: float, limit: int) -> int:
        """Let up to ``limit`` held messages accepted since ``since`` into their lines again; see ILedger."""
        return await self._submit(Move(move=lambda: self._table.unhold(since, limit)))

    async def take_callbacks(
        self, now: float, until: float, limit: int, per_host: int, without: Set[str]
    ) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``; see ICallbackQueue."""
        return await self._submit(Simply(write=lambda: self._postbox.take(now, until, limit, per_host, without)))

    async def settle_callback(self, callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``. Raises SpoolUnavailable."""
        await self._submit(Simply(write=lambda: self._postbox.settle(callback, after)))

    async def receive(self, inbound: Inbound, callback: Callback | None) -> bool:
        """Keep an incoming message; see ICallbackQueue."""
        return await self._submit(Simply(write=lambda: self._postbox.receive(inbound, callback)))

    async def received(self, limit: int, before: int | None = None) -> tuple[list[Inbound], int | None]:
        """Incoming messages, newest first; see ICallbackQueue."""
        return await self._read(self._post_reading.received, limit, before)

    async def _read(self, read: Callable[..., T], *arguments: object) -> T:
        self._check_open()
        try:
            return await deferToThreadPool(self._reactor, self._readers, read, *arguments)
        except sqlite3.Error as error:
            raise SpoolUnavailable(reason=str(error)) from error

    def _make_ready(self, undo: ExitStack) -> None:
        check_place = undo.enter_context(schema.held(self._path))
        writing = undo.enter_context(closing(schema.connect(self._path, busy_s=self._busy_s)))
        try:
            schema.prepare(writing, schema.migrations())
        except SpoolRefused as refused:
            raise SpoolRefused(reason=f"{self._path}: {refused.reason}") from None
        self._postbox = Postbox(writing)
        self._table = Table(writing, check_place)
        self._desk = Desk(self._table, self._postbox, self._ageing_s)
        # Let go of in the other order: the connection that closes last empties the write-ahead log into the file.
        reading = undo.enter_context(closing(schema.connect_to_read(self._path, busy_s=self._busy_s)))
        self._reading = Table(reading, check_place)
        self._post_reading = Postbox(reading)

    def _submit(self, job: Job[T]) -> Deferred[T]:
        self._check_open()
        return self._writer.submit(job)

    def _check_open(self) -> None:
        if self._held is None:
            raise SpoolUnavailable(reason="it is closed")
