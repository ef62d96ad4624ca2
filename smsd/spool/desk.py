"""Does the writer's work: puts jobs into transactions, and knows who leases what."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import attrs

from smsd.core.errors import LeaseLost, SmsdError, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.settle import abandon
from smsd.ports import Lease
from smsd.spool.record import Row
from smsd.spool.table import Change, Table, change
from smsd.spool.writer import Answers, Job

#: What a job fails with by its own fault: an id stored already, a text that is no Unicode, a number too large.
_OWN_FAULT: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,
    OverflowError,
)


@attrs.frozen(kw_only=True, eq=False)
class Append(Job[int]):
    """Keep new messages."""

    rows: Sequence[Row]
    states: Sequence[State]  #: of each row

    @property
    def weight(self) -> int:
        """How many rows it writes."""
        return len(self.rows)


@attrs.frozen(kw_only=True, eq=False)
class Settle(Job[Lease]):
    """Put ``after`` in the place of the leased message."""

    lease: Lease
    after: Message
    change: Change


@attrs.frozen(kw_only=True, eq=False)
class Take(Job[list[Lease]]):
    """Lease what is due."""

    now: float  #: UTC epoch seconds
    limit: int
    state: State
    taken: list[Lease] = attrs.field(init=False, factory=list)  #: filled when it is done


@attrs.frozen(kw_only=True, eq=False)
class Release(Job[None]):
    """Give leases back."""

    leases: Sequence[Lease]  #: read when it is done


@attrs.frozen(kw_only=True, eq=False)
class Amend(Job[Message]):
    """Put what ``step`` makes of a message in its place."""

    id: str
    step: Callable[[Message], Message]


class Desk:
    """Where every job ends up; used by one thread at a time, but for ``depth``."""

    def __init__(self, table: Table) -> None:
        self._table = table
        #: The token of every lease, by message id. In memory only: a crash releases them by itself.
        self._leases: dict[str, int] = {}
        self._tokens = count(1)
        #: How many messages are in each state. Replaced after a commit, never changed: any thread may read it.
        self.depth: Mapping[State, int] = {}

    def open(self, now: float) -> None:
        """Take stock; what was being sent is uncertain from ``now`` (UTC epoch seconds). Raises sqlite3.Error."""
        with self._table.transaction():
            self._table.update([change(each, abandon(each, now)) for each in self._table.sending()])
        self.depth = self._table.count()

    def work(self, jobs: Sequence[Job[Any]]) -> Iterator[Answers]:
        """Carry out ``jobs``; yields the answers to the next few of them after each commit."""
        for group in _groups(jobs):
            yield self._carry_out(group)

    def _carry_out(self, group: Sequence[Job[Any]]) -> Answers:
        try:
            match group:
                case [Take() as job]:
                    self._take(job)
                    return [job.taken]
                case [Release() as job]:
                    for lease in job.leases:
                        self._end(lease)
                    return [None]
                case [Amend() as job]:
                    return [self._amend(job)]
                case _:
                    return self._write(group)
        except SmsdError as refused:  # by the step of an amendment
            return [refused]
        except _OWN_FAULT as fault:
            if len(group) > 1:
                # One of them is bad, and nothing of the group is kept. By halves, a bad one costs the rest few commits.
                half = len(group) // 2
                return [*self._carry_out(group[:half]), *self._carry_out(group[half:])]
            return [ValueError(f"the spool cannot hold this: {fault}")]
        except sqlite3.Error as error:
            return [SpoolUnavailable(reason=str(error)) for _ in group]

    def _write(self, group: Sequence[Job[Any]]) -> Answers:
        settles = [job for job in group if isinstance(job, Settle)]
        with self._table.transaction():
            self._table.insert([row for job in group if isinstance(job, Append) for row in job.rows])
            moved = self._table.update([job.change for job in settles if self._holds(job.lease)])
            lost = {id: self._lost(id) for job in settles if (id := job.lease.message.id) not in moved}
        # Committed. From here on only memory changes, and nothing can fail.
        depth = dict(self.depth)
        answers = [self._answer(job, lost, depth) for job in group]
        self.depth = depth
        return answers

    def _answer(self, job: Job[Any], lost: Mapping[str, LeaseLost], depth: dict[State, int]) -> Any:
        if isinstance(job, Append):
            waiting = depth[State.QUEUED]
            for state in job.states:
                depth[state] += 1
            return waiting
        assert isinstance(job, Settle)
        if (loss := lost.get(job.lease.message.id)) is not None:
            self._end(job.lease)
            return loss
        depth[job.lease.message.state] -= 1
        depth[job.after.state] += 1
        if job.after.state is not State.SENDING:
            self._end(job.lease)
        return attrs.evolve(job.lease, message=job.after)

    def _amend(self, job: Amend) -> Message:
        with self._table.transaction():
            message = self._table.find(job.id)
            if message is None:
                raise UnknownMessage(id=job.id)
            after = job.step(message)
            self._table.update([change(message, after)])
        depth = dict(self.depth)
        depth[message.state] -= 1
        depth[after.state] += 1
        self.depth = depth
        return after

    def _take(self, job: Take) -> None:
        with self._table.transaction():
            self._table.wake(job.now)
            messages = self._table.in_line(job.state, job.now, job.limit, without=self._leases)
        job.taken.extend(Lease(message=message, token=next(self._tokens)) for message in messages)
        self._leases.update((lease.message.id, lease.token) for lease in job.taken)

    def _holds(self, lease: Lease) -> bool:
        return self._leases.get(lease.message.id) == lease.token

    def _end(self, lease: Lease) -> None:
        if self._holds(lease):
            del self._leases[lease.message.id]

    def _lost(self, id: str) -> LeaseLost:
        message = self._table.find(id)
        return LeaseLost(id=id, state="unknown" if message is None else message.state.value)


def _groups(jobs: Sequence[Job[Any]]) -> Iterator[Sequence[Job[Any]]]:
    # Writes go together. A lease sees what was written before it, and a message is settled once in a group.
    group: list[Job[Any]] = []
    settled: set[str] = set()
    for job in jobs:
        is_write = isinstance(job, Append | Settle)
        if group and (not is_write or (isinstance(job, Settle) and job.lease.message.id in settled)):
            yield group
            group, settled = [], set()
        if not is_write:
            yield [job]
            continue
        group.append(job)
        if isinstance(job, Settle):
            settled.add(job.lease.message.id)
    if group:
        yield group
