"""Does the writer's work on a PostgreSQL database, whose leases and counts all nodes share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import attrs
import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from smsd.core.errors import LeaseLost
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.ports import Lease
from smsd.spool import record
from smsd.spool.desk import Desk
from smsd.spool.jobs import Amend, Append, Store, Take
from smsd.spool.postbox import Postbox
from smsd.spool.postgresql.table import PostgresTable
from smsd.spool.tally import Draft
from smsd.spool.writer import Answers, Job

T = TypeVar("T")

#: Nodes that listen here look for what is due.
CHANNEL: Final = "smsd"
#: Messages in line at which every node has something to do, and none need be woken.
BUSY: Final = 100
#: How often what lost against another node is tried again at once.
TRIES: Final = 5


class PostgresDesk(Desk):
    """A desk among several; who has the message is decided by the token of its lease."""

    own_fault = (psycopg.IntegrityError, psycopg.DataError, ValueError, OverflowError)
    trouble = psycopg.Error

    def __init__(
        self,
        table: PostgresTable,
        postbox: Postbox,
        ageing_s: float,
        *,
        lease_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        """Leases last ``lease_s`` seconds; ``monotonic`` gives seconds, and is called on the writer's thread."""
        super().__init__(table, postbox, ageing_s)
        self._shared = table
        self._lease_s = lease_s
        self._monotonic = monotonic
        self._until = 0.0
        self._touched: set[str] = set()

    def renew(self) -> None:
        """Have all leases last anew, within the transaction, and forget those that another node has taken."""
        self.leases.keep(self._shared.renew(self.leases.tokens).__contains__)

    def release_all(self) -> None:
        """End every lease, so that other nodes need not wait for it."""
        self._shared.release(self.leases.tokens)

    def _commit(self, group: Sequence[Job[Any]]) -> Answers:
        ids = {job.id for job in group if isinstance(job, Amend)}
        self._touched = ids | {job.after.id for job in group if isinstance(job, Store)}
        return _patiently(lambda: super(PostgresDesk, self)._commit(group))

    def _take(self, job: Take) -> None:
        self._touched = set()
        _patiently(lambda: super(PostgresDesk, self)._take(job))

    @contextmanager
    def _transaction(self) -> Iterator[Draft]:
        # Before the first word to the server: the lease that it grants begins later, and so ends later.
        self._until = self._monotonic() + self._lease_s
        with self._shared.transaction():
            # All at once and in one order: two nodes would wait for each other.
            self._shared.lock_messages(self._touched)
            base = self._shared.tally()
            draft = Draft(base)
            yield draft
            more = draft.since(base)
            if any(number > 0 for number in more.in_line.values()) and sum(base.in_line.values()) < BUSY:
                self._shared.notify(CHANNEL)
            self._shared.count(more)

    def _append(self, jobs: Sequence[Append], draft: Draft) -> Answers:
        # Two nodes could both find room in a quota, or an idempotency key free.
        parcels = [parcel for job in jobs for parcel in job.parcels]
        keys = {f"quota {record.origin(each.rows[0])[0]}" for each in parcels if each.quotas and each.rows}
        claims = {f"claim {each.claim.api_key} {each.claim.key}" for each in parcels if each.claim is not None}
        self._shared.lock(keys | claims)
        return super()._append(jobs, draft)

    def _grant(self, messages: Sequence[Message]) -> list[Lease]:
        if not messages:
            return []
        tokens = self._shared.grant(messages)
        return [Lease(message=each, token=tokens[each.id], until=self._until) for each in messages]

    def _let_go(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            self.leases.end(lease)
        try:
            self._shared.release({lease.message.id: lease.token for lease in leases})
        except psycopg.Error:
            return  # nobody renews it any more: it ends by itself

    def _moved(self, jobs: Sequence[Store]) -> Mapping[str, int]:
        return self._shared.store([job.lease.token for job in jobs], [job.change for job in jobs])

    def _unmoved(self, job: Store) -> Lease | LeaseLost:
        # Perhaps it was written down before, and the connection broke before we were told.
        stored = self._table.find(job.after.id)
        if stored == job.after and job.after.state is not State.SENDING:
            return self._kept(job)
        return super()._unmoved(job)

    def _kept(self, job: Store) -> Lease:
        return attrs.evolve(super()._kept(job), until=self._until)


def _patiently(do: Callable[[], T]) -> T:
    # Two nodes wanted the same rows in another order: the server has made one of them begin again.
    for _ in range(TRIES):
        try:
            return do()
        except (DeadlockDetected, SerializationFailure):
            continue
    return do()
