"""Does the writer's work: puts jobs into transactions, and knows who leases what."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import attrs

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import LeaseLost, SmsdError, SpoolFull, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.settle import abandon
from smsd.ports import Lease
from smsd.spool.record import Row
from smsd.spool.table import Change, Table, change
from smsd.spool.tally import Tally
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

    messages: Sequence[Message]
    rows: Sequence[Row]  #: of each message
    limit: int  #: messages that may be queued with them
    claim: Claim | None  #: the idempotency key that they come under

    @property
    def weight(self) -> int:
        """How many rows it writes."""
        return len(self.rows)


@attrs.frozen(kw_only=True, eq=False)
class Store(Job[Lease]):
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


@attrs.frozen(kw_only=True, eq=False)
class Recover(Job[int]):
    """Make uncertain what was being sent."""

    now: float  #: UTC epoch seconds


class Desk:
    """Where every job ends up; used by one thread at a time, but for ``tally``."""

    def __init__(self, table: Table) -> None:
        self._table = table
        #: The token of every lease, by message id. In memory only: a crash releases them by itself.
        self._leases: dict[str, int] = {}
        self._tokens = count(1)
        self.tally = Tally(states=table.count(), in_line=table.count_in_line())

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
                case [Recover() as job]:
                    return [self._recover(job.now)]
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
        answers, appended, claimed, tally = self._admit(group)
        stores = [job for job in group if isinstance(job, Store)]
        with self._table.transaction():
            self._table.insert([row for job in appended for row in job.rows])
            for claim, kept in claimed.values():
                self._table.claim(claim, kept)
            moved = self._table.update([job.change for job in stores if self._holds(job.lease)])
            lost = {id: self._lost(id) for job in stores if (id := job.lease.message.id) not in moved}
        # Committed. From here on only memory changes, and nothing can fail.
        for job in stores:
            answers[job] = lost.get(job.lease.message.id) or attrs.evolve(job.lease, message=job.after)
            if isinstance(answers[job], LeaseLost):
                self._end(job.lease)
            else:
                # What was leased as queued was in line: only from there it is leased.
                tally = tally.plus(job.lease.message, -1, is_in_line=True).plus(job.after, 1)
                if job.after.state is not State.SENDING:
                    self._end(job.lease)
        self.tally = tally
        return [answers[job] for job in group]

    def _admit(self, group: Sequence[Job[Any]]) -> "_Admission":
        """What each append of ``group`` is answered once it is committed, and what is to be written for them."""
        tally = self.tally
        answers: dict[Job[Any], Any] = {}
        appended: list[Append] = []
        claimed: dict[tuple[str, str], tuple[Claim, Claimed]] = {}
        for job in group:
            if not isinstance(job, Append):
                continue
            if (refusal := self._refusal(job, tally, claimed)) is not None:
                answers[job] = refusal
                continue
            ahead = tally.ahead_of(job.messages[0]) if job.messages else 0
            if (claim := job.claim) is not None:
                kept = Claimed(fingerprint=claim.fingerprint, answer=claim.answer(ahead))
                claimed[claim.api_key, claim.key] = (claim, kept)
            for message in job.messages:
                tally = tally.plus(message, 1)
            appended.append(job)
            answers[job] = ahead
        return answers, appended, claimed, tally

    def _refusal(
        self, job: Append, tally: Tally, claimed: Mapping[tuple[str, str], tuple[Claim, Claimed]]
    ) -> SmsdError | None:
        if (claim := job.claim) is not None:
            _, kept = claimed.get((claim.api_key, claim.key), (None, None))
            kept = kept or self._table.claimed(claim.api_key, claim.key, claim.at)
            if kept is not None:
                return kept
        waiting = tally.states[State.QUEUED]
        if waiting + len(job.messages) > job.limit:
            return SpoolFull(waiting=waiting, limit=job.limit)
        return None

    def _amend(self, job: Amend) -> Message:
        with self._table.transaction():
            message = self._table.find(job.id)
            if message is None:
                raise UnknownMessage(id=job.id)
            was_in_line = self._table.is_in_line(job.id)
            after = job.step(message)
            self._table.update([change(message, after)])
        self.tally = self.tally.plus(message, -1, is_in_line=was_in_line).plus(after, 1)
        return after

    def _recover(self, now: float) -> int:
        with self._table.transaction():
            # Who holds a lease is alive: it is this process.
            gone = [each for each in self._table.sending() if each.id not in self._leases]
            steps = [(each, abandon(each, now)) for each in gone]
            self._table.update([change(was, after) for was, after in steps])
        for was, after in steps:
            self.tally = self.tally.plus(was, -1).plus(after, 1)
        return len(gone)

    def _take(self, job: Take) -> None:
        with self._table.transaction():
            woken = self._table.wake(job.now)
            messages = self._table.in_line(job.state, job.limit, without=self._leases)
        in_line = {priority: self.tally.in_line[priority] + count for priority, count in woken.items()}
        self.tally = attrs.evolve(self.tally, in_line=in_line)
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


_Admission = tuple[dict[Job[Any], Any], list[Append], dict[tuple[str, str], tuple[Claim, Claimed]], Tally]


def _groups(jobs: Sequence[Job[Any]]) -> Iterator[Sequence[Job[Any]]]:
    # Writes go together. A lease sees what was written before it, and a message is settled once in a group.
    group: list[Job[Any]] = []
    settled: set[str] = set()
    for job in jobs:
        is_write = isinstance(job, Append | Store)
        if group and (not is_write or (isinstance(job, Store) and job.lease.message.id in settled)):
            yield group
            group, settled = [], set()
        if not is_write:
            yield [job]
            continue
        group.append(job)
        if isinstance(job, Store):
            settled.add(job.lease.message.id)
    if group:
        yield group
