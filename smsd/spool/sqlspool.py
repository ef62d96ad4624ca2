"""What every engine over SQL does alike: hands jobs to its writer, and questions to its reader."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence, Set
from typing import ClassVar, Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from smsd.core.callback import Callback
from smsd.core.claim import Claim, Claimed
from smsd.core.errors import SpoolFull, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import Measure
from smsd.core.query import Page, Query
from smsd.core.quota import Quota
from smsd.core.report import Inbound
from smsd.core.standing import Standing
from smsd.core.turns import Place, ahead
from smsd.ports import Lease
from smsd.spool import record
from smsd.spool.desk import Desk
from smsd.spool.dialect import first_line
from smsd.spool.jobs import Amend, Append, Move, Parcel, Recover, Release, Simply, Store, Take
from smsd.spool.postbox import Postbox
from smsd.spool.table import Table, change
from smsd.spool.tally import Tally
from smsd.spool.writer import IWriterReactor, Job, Writer

T = TypeVar("T")

#: Messages whose rows are made in a thread: the reactor goes on beside it.
MANY: Final = 500


class SqlSpool(ABC):
    """The calls of IEngine, over one writer's and one reader's connection; opening and closing are its heirs'."""

    #: What the database's driver raises when it cannot be used.
    trouble: ClassVar[type[Exception]]

    def __init__(self, *, reactor: IWriterReactor, measure: Measure) -> None:
        self._reactor = reactor
        self._measure = measure
        self._is_open = False

    def _start(self, desk: Desk, writing: tuple[Table, Postbox], reading: tuple[Table, Postbox]) -> None:
        """Begin to take calls; the first connection is the writer's, the second the reader's."""
        self._leases, self._turns = desk.leases, desk.turns
        self._table, self._postbox = writing
        self._reading, self._post_reading = reading
        self._writer = Writer(desk.work, reactor=self._reactor, name="smsd-spool-write", measure=self._measure)
        self._writer.start()
        self._readers = ThreadPool(1, 1, name="smsd-spool-read")
        self._readers.start()
        self._is_open = True

    async def _stop(self, let_go: Callable[[], None]) -> None:
        """Finish every job, call ``let_go`` on the reader's thread, and end both threads."""
        self._is_open = False
        await self._writer.stop()
        await deferToThreadPool(self._reactor, self._readers, let_go)
        self._readers.stop()

    async def append(
        self, messages: Sequence[Message], limit: int, claim: Claim | None = None, quotas: Sequence[Quota] = ()
    ) -> Place:
        """Keep ``messages``, all or none; the answer is their place in line.

        Raises Claimed, QuotaExceeded, SpoolFull, SpoolUnavailable, and ValueError if one of them cannot be stored: its
        id is, or its text is no Unicode.
        """
        rows = record.rows_of(messages) if len(messages) < MANY else await self._aside(record.rows_of, messages)
        parcel = Parcel(rows=rows, claim=claim, quotas=quotas)
        [answer] = await self._submit(Append(parcels=[parcel], limit=limit))
        if isinstance(answer, Exception):
            raise answer
        place: Place = answer
        return place

    async def append_each(
        self, parcels: Sequence[Sequence[Message]], limit: int
    ) -> list[Place | SpoolFull | ValueError]:
        """Keep each of ``parcels`` that can be kept; see IInbox."""
        jobs = [Append(parcels=[Parcel(rows=record.rows_of(each)) for each in parcels], limit=limit)]
        try:
            return await self._submit(jobs[0])
        except ValueError as bad:
            if len(parcels) == 1:
                return [bad]
        # One of them spoils the rest: by halves, that costs them few commits.
        half = len(parcels) // 2
        return [*await self.append_each(parcels[:half], limit), *await self.append_each(parcels[half:], limit)]

    async def claimed(self, api_key: str, key: str, now: float) -> Claimed | None:
        """What an idempotency key stands for at ``now``, if anything. Raises SpoolUnavailable."""
        return await self._read(self._reading.claimed, api_key, key, now)

    async def claims(self, now: float, after: tuple[str, str], limit: int) -> list[Claim]:
        """Idempotency keys that stand for something; see IInbox."""
        return await self._read(self._reading.claims, now, after, limit)

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
        tally = await self._tally()
        firsts = await self._read(self._reading.firsts, list(tally.in_line))
        return Standing(depth=tally.depth, in_line=tally.in_line, recipients=tally.recipients, firsts=firsts)

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

    async def ahead(self, id: str) -> Place | None:
        """Where message ``id`` stands in line. Raises UnknownMessage and SpoolUnavailable."""
        message = await self.find(id)
        if message.state is not State.QUEUED or message.is_held:
            return None
        if (turn := self._leases.turn(id)) is not None:
            return Place(first=turn, last=turn)
        tally = await self._tally()
        before = await self._read(self._reading.before, message, tally)
        then = 0
        if before is None:
            before, then = tally.in_line.get(message.line, 0), await self._read(self._reading.then, message)
        here = ahead(tally.in_line, message.line, before, self._leases.next(), self._turns.last)
        return Place(first=here, last=here, then=then)

    async def overdue(self, now: float, limit: int) -> Sequence[str]:
        """The ids of up to ``limit`` queued messages whose validity has ended; see ILedger."""
        return await self._read(self._reading.overdue, now, limit)

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

    async def unhold(self, since: float, now: float, limit: int) -> int:
        """Let up to ``limit`` held messages accepted since ``since`` into their lines again; see ILedger."""
        return await self._submit(Move(move=lambda: self._table.unhold(since, now, limit)))

    async def take_callbacks(
        self, now: float, until: float, limit: int, per_host: int, without: Set[str]
    ) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``; see ICallbackQueue."""
        return await self._submit(Simply(write=lambda: self._postbox.take(now, until, limit, per_host, without)))

    async def settle_callback(self, callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``. Raises SpoolUnavailable."""
        await self._submit(Simply(write=lambda: self._postbox.settle(callback, after)))

    async def silence(self, id: str) -> None:
        """Owe nobody anything more of message ``id``. Raises SpoolUnavailable."""
        await self._submit(Simply(write=lambda: self._silence(id)))

    def _silence(self, id: str) -> None:
        self._table.silence(id)
        self._postbox.silence(id)

    async def receive(self, inbound: Inbound, callback: Callback | None) -> bool:
        """Keep an incoming message; see ICallbackQueue."""
        return await self._submit(Simply(write=lambda: self._postbox.receive(inbound, callback)))

    async def received(self, limit: int, before: int | None = None) -> tuple[list[Inbound], int | None]:
        """Incoming messages, newest first; see ICallbackQueue."""
        return await self._read(self._post_reading.received, limit, before)

    async def _read(self, read: Callable[..., T], *arguments: object) -> T:
        self._check_open()
        try:
            return await self._aside(read, *arguments)
        except self.trouble as error:
            raise SpoolUnavailable(reason=first_line(error)) from error

    def _aside(self, work: Callable[..., T], *arguments: object) -> "Deferred[T]":
        return deferToThreadPool(self._reactor, self._readers, work, *arguments)

    @abstractmethod
    async def _tally(self) -> Tally: ...

    def _submit(self, job: Job[T]) -> Deferred[T]:
        self._check_open()
        return self._writer.submit(job)

    def _check_open(self) -> None:
        if not self._is_open:
            raise SpoolUnavailable(reason="it is closed")
