"""Does the writer's work: puts jobs into transactions."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, ClassVar

import attrs

from smsd.core.callback import owed
from smsd.core.claim import Claimed
from smsd.core.errors import LeaseLost, SmsdError, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.quota import Usage, charge
from smsd.core.settle import abandon
from smsd.core.turns import Counts, Place, Turns, place
from smsd.ports import Lease
from smsd.spool import record
from smsd.spool.crowds import Crowds
from smsd.spool.dialect import first_line
from smsd.spool.jobs import Amend, Append, Move, Parcel, Recover, Release, Simply, Store, Take
from smsd.spool.leases import Leases
from smsd.spool.postbox import Postbox
from smsd.spool.table import Table, change
from smsd.spool.tally import Draft
from smsd.spool.writer import Answers, Job


class Desk(ABC):
    """Where every job ends up; used by one thread at a time. How leases are kept is its heirs'."""

    #: What a job fails with by its own fault: an id stored already, a text that is no Unicode, a number too large.
    own_fault: ClassVar[tuple[type[Exception], ...]]
    #: What the database's driver raises when it cannot be used.
    trouble: ClassVar[type[Exception]]

    def __init__(self, table: Table, postbox: Postbox, ageing_s: float) -> None:
        """Messages that are ``ageing_s`` seconds in line rise, see Turns."""
        self._table = table
        self._postbox = postbox
        self.turns = Turns(ageing_s)
        #: Those of this process.
        self.leases = Leases()

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Draft]:
        """Commit at the end, with the counts that the draft has come to; nothing has changed if anything raises."""

    @abstractmethod
    def _grant(self, messages: Sequence[Message]) -> list[Lease]:
        """Lease ``messages``, within the transaction."""

    @abstractmethod
    def _let_go(self, leases: Sequence[Lease]) -> None:
        """End those of ``leases`` that are held still."""

    @abstractmethod
    def _moved(self, jobs: Sequence[Store]) -> Mapping[str, int]:
        """Write down what ``jobs`` make of their messages; the answer is the places of those whose lease held."""

    def _unmoved(self, job: Store) -> Lease | LeaseLost:
        """The answer to ``job``, whose lease did not hold."""
        stored = self._table.find(job.after.id)
        return LeaseLost(id=job.after.id, state="unknown" if stored is None else stored.state.value)

    def _kept(self, job: Store) -> Lease:
        """The lease of ``job``, whose message was written down."""
        return attrs.evolve(job.lease, message=job.after)

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
                    self._let_go(job.leases)
                    return [None]
                case _:
                    return self._commit(group)
        except self.own_fault as fault:
            if len(group) > 1:
                # One of them is bad, and nothing of the group is kept. By halves, a bad one costs the rest few commits.
                half = len(group) // 2
                return [*self._carry_out(group[:half]), *self._carry_out(group[half:])]
            return [ValueError(f"the spool cannot hold this: {first_line(fault)}")]
        except self.trouble as error:
            return [SpoolUnavailable(reason=first_line(error)) for _ in group]

    def _commit(self, group: Sequence[Job[Any]]) -> Answers:
        answers: list[Any] = []
        with self._transaction() as draft:
            for kind, jobs in groupby(group, type):
                answers += self._write(kind, list(jobs), draft)
        # Committed. From here on only memory changes, and nothing can fail.
        for job, answer in zip(group, answers, strict=True):
            if isinstance(job, Store):
                self._stored(job, answer)
        return answers

    def _stored(self, job: Store, answer: Lease | LeaseLost) -> None:
        if isinstance(answer, LeaseLost) or job.after.state is not State.SENDING:
            self.leases.end(job.lease)
        else:
            self.leases.begin(job.lease)

    def _write(self, kind: type, jobs: list[Any], draft: Draft) -> Answers:
        """Write ``jobs``, all of one ``kind``, within the transaction; what refuses one has written nothing."""
        if kind is Append:
            return self._append(jobs, draft)
        if kind is Store:
            return self._store(jobs, draft)
        answers: list[Any] = []
        for job in jobs:
            try:
                answers.append(self._do(job, draft))
            except SmsdError as refused:
                answers.append(refused)
        return answers

    def _do(self, job: Job[Any], draft: Draft) -> Any:
        match job:
            case Amend():
                return self._amend(job, draft)
            case Recover():
                gone = self._table.abandoned(without=self.leases)
                self._replace([(each, abandon(each, job.now)) for each in gone], draft)
                return len(gone)
            case Move():
                moved = job.move()
                for each in moved:
                    draft.line(*each)
                return len(moved)
            case Simply():
                return job.write()
            case _:
                raise TypeError(job)

    def _append(self, jobs: Sequence[Append], draft: Draft) -> Answers:
        rows: list[record.Row] = []
        taken = self.leases.next()
        crowds = Crowds(self._table.due)
        draft.next_place = self._table.next_place()
        answers = [
            [self._keep(parcel, job.limit, draft, rows, taken, crowds) for parcel in job.parcels] for job in jobs
        ]
        draft.keep(rows)
        self._table.insert(rows)
        return answers

    def _keep(
        self, parcel: Parcel, limit: int, draft: Draft, rows: list[record.Row], taken: Counts, crowds: Crowds
    ) -> Place | SmsdError:
        """Add what ``parcel`` holds to ``draft`` and ``rows``, or say why it is not kept: then nothing is written."""
        new = record.counted(parcel.rows)
        try:
            usages = self._admit(parcel, new, limit, draft)
        except SmsdError as refused:
            return refused
        where = place(draft.in_line, new.first, new.lines, taken, self.turns.last)
        if (then := crowds.join(parcel.rows)) or usages:
            where = attrs.evolve(where, usages=usages, then=then)
        if (claim := parcel.claim) is not None:
            self._table.claim(claim, Claimed(fingerprint=claim.fingerprint, answer=claim.answer(where)))
        draft.queue(new)
        rows += parcel.rows
        return where

    def _admit(self, parcel: Parcel, new: record.Counted, limit: int, draft: Draft) -> tuple[Usage, ...]:
        """Charge the quotas for ``parcel``; writes nothing and raises if it is not to be kept."""
        if (claim := parcel.claim) is not None:
            kept = self._table.claimed(claim.api_key, claim.key, claim.at)
            if kept is not None:
                raise kept
        if draft.recipients + new.recipients > limit:
            full = draft.full(new.recipients, limit)
            raise attrs.evolve(full, due_at=self._table.due_at(full.later)) if full.later else full
        if not parcel.quotas or not parcel.rows:
            return ()
        api_key, now = record.origin(parcel.rows[0])
        usages = charge(parcel.quotas, self._table.used(api_key, parcel.quotas, now), new.recipients, now)
        self._table.charge(api_key, usages, now)
        return usages

    def _store(self, jobs: Sequence[Store], draft: Draft) -> Answers:
        moved = self._moved(jobs)
        answers: list[Any] = []
        for job in jobs:
            was = job.lease.message
            if was.id not in moved:
                answers.append(self._unmoved(job))
                continue
            # What was leased as queued is in line: only from there it is leased, and it is not held meanwhile.
            draft.add(was, -1, seq=moved[was.id], is_in_line=True)
            draft.add(job.after, seq=moved[was.id])
            answers.append(self._kept(job))
        steps = [(job.lease.message, job.after) for job in jobs if job.lease.message.id in moved]
        self._owe(steps)
        return answers

    def _amend(self, job: Amend, draft: Draft) -> Message:
        message = self._table.find_to_change(job.id)
        if message is None:
            raise UnknownMessage(id=job.id)
        after = job.step(message)
        self._replace([(message, after)], draft, is_in_line=self._table.is_in_line(job.id))
        if after.state is not State.QUEUED:
            self.leases.leave(job.id)
        return after

    def _replace(self, steps: Sequence[tuple[Message, Message]], draft: Draft, is_in_line: bool | None = None) -> None:
        moved = self._table.update([change(was, after) for was, after in steps])
        for was, after in steps:
            draft.add(was, -1, seq=moved.get(was.id), is_in_line=is_in_line)
            draft.add(after, seq=moved.get(was.id))
        self._owe(steps)

    def _owe(self, steps: Sequence[tuple[Message, Message]]) -> None:
        self._postbox.add([callback for was, after in steps for callback in owed(was, after)])

    def _take(self, job: Take) -> None:
        with self._transaction() as draft:
            for each in self._table.wake(job.now):
                draft.line(*each)
            leases = self._grant(self._due(job, draft))
        job.taken.extend(leases)
        self.leases.add(leases)

    def _due(self, job: Take, draft: Draft) -> Sequence[Message]:
        limit, without = job.limit, self.leases
        match job.state:
            case State.QUEUED:
                lines = {key: self._table.line(*key, limit=limit, without=without) for key in draft.in_line}
                return self.turns.pick(lines, job.now, limit)
            case State.SENT | State.DEAD:
                return self._table.to_attend(job.state, job.now, limit=limit, without=without)
            case _:
                return self._table.in_doubt(limit=limit, without=without)


def _groups(jobs: Sequence[Job[Any]]) -> Iterator[Sequence[Job[Any]]]:
    # Writes go together. A lease sees what was written before it, and a message is settled once in a group.
    group: list[Job[Any]] = []
    settled: set[str] = set()
    for job in jobs:
        is_alone = isinstance(job, Take | Release)
        if group and (is_alone or (isinstance(job, Store) and job.lease.message.id in settled)):
            yield group
            group, settled = [], set()
        if is_alone:
            yield [job]
            continue
        group.append(job)
        if isinstance(job, Store):
            settled.add(job.lease.message.id)
    if group:
        yield group
