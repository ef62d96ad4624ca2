"""Does the writer's work: puts jobs into transactions, and knows who leases what."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count, groupby
from typing import Any, Final

import attrs

from smsd.core.callback import owed
from smsd.core.claim import Claimed
from smsd.core.errors import LeaseLost, SmsdError, SpoolFull, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.quota import Usage, charge
from smsd.core.settle import abandon
from smsd.core.turns import Turns, place
from smsd.ports import Lease
from smsd.spool.jobs import Amend, Append, Move, Recover, Release, Simply, Store, Take
from smsd.spool.postbox import Postbox
from smsd.spool.table import Table, change
from smsd.spool.tally import Draft, Tally
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


class Desk:
    """Where every job ends up; used by one thread at a time, but for ``tally``."""

    def __init__(self, table: Table, postbox: Postbox, ageing_s: float) -> None:
        """Messages that are ``ageing_s`` seconds in line rise, see Turns."""
        self._table = table
        self._postbox = postbox
        self._turns = Turns(ageing_s)
        #: The token of every lease, by message id. In memory only: a crash releases them by itself.
        self._leases: dict[str, int] = {}
        self._tokens = count(1)
        self.tally: Tally = table.count()

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
                case _:
                    return self._commit(group)
        except _OWN_FAULT as fault:
            if len(group) > 1:
                # One of them is bad, and nothing of the group is kept. By halves, a bad one costs the rest few commits.
                half = len(group) // 2
                return [*self._carry_out(group[:half]), *self._carry_out(group[half:])]
            return [ValueError(f"the spool cannot hold this: {fault}")]
        except sqlite3.Error as error:
            return [SpoolUnavailable(reason=str(error)) for _ in group]

    def _commit(self, group: Sequence[Job[Any]]) -> Answers:
        draft = Draft(self.tally)
        answers: list[Any] = []
        with self._table.transaction():
            for kind, jobs in groupby(group, type):
                answers += self._write(kind, list(jobs), draft)
        # Committed. From here on only memory changes, and nothing can fail.
        self.tally = draft.tally()
        for job, answer in zip(group, answers, strict=True):
            if isinstance(job, Store) and (isinstance(answer, LeaseLost) or job.after.state is not State.SENDING):
                self._end(job.lease)
        return answers

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
                # Who holds a lease is alive: it is this process.
                gone = [each for each in self._table.sending() if each.id not in self._leases]
                self._replace([(each, abandon(each, job.now)) for each in gone], draft)
                return len(gone)
            case Move():
                moved = job.move()
                for (priority, api_key), number in moved.items():
                    draft.line(priority, api_key, number)
                return abs(moved.total())
            case Simply():
                return job.write()
            case _:
                raise TypeError(job)

    def _append(self, jobs: Sequence[Append], draft: Draft) -> Answers:
        answers: list[Any] = []
        rows: list[Any] = []
        for job in jobs:
            try:
                usages = self._admit(job, draft)
            except SmsdError as refused:
                answers.append(refused)
                continue
            where = attrs.evolve(place(draft.in_line, job.messages), usages=usages)
            if (claim := job.claim) is not None:
                kept = Claimed(fingerprint=claim.fingerprint, answer=claim.answer(where))
                self._table.claim(claim, kept)
            for message in job.messages:
                draft.add(message)
            rows += job.rows
            answers.append(where)
        self._table.insert(rows)
        return answers

    def _admit(self, job: Append, draft: Draft) -> tuple[Usage, ...]:
        """Charge the quotas for what ``job`` appends; writes nothing and raises if it is not to be kept."""
        if (claim := job.claim) is not None:
            kept = self._table.claimed(claim.api_key, claim.key, claim.at)
            if kept is not None:
                raise kept
        asked = sum(len(message.recipients) for message in job.messages)
        if draft.recipients + asked > job.limit:
            waiting = draft.recipients
            raise SpoolFull(waiting=waiting, asked=asked, limit=job.limit, messages=draft.queued)
        if not job.quotas or not job.messages:
            return ()
        now, api_key = job.messages[0].accepted_at, job.messages[0].api_key
        usages = charge(job.quotas, self._table.used(api_key, job.quotas, now), asked, now)
        self._table.charge(api_key, usages, now)
        return usages

    def _store(self, jobs: Sequence[Store], draft: Draft) -> Answers:
        moved = self._table.update([job.change for job in jobs if self._holds(job.lease)])
        answers: list[Any] = []
        for job in jobs:
            was = job.lease.message
            if was.id not in moved:
                answers.append(self._lost(was.id))
                continue
            # What was leased as queued was in line: only from there it is leased.
            draft.add(was, -1, is_in_line=True)
            draft.add(job.after)
            answers.append(attrs.evolve(job.lease, message=job.after))
        steps = [(job.lease.message, job.after) for job in jobs if job.lease.message.id in moved]
        self._owe(steps)
        return answers

    def _amend(self, job: Amend, draft: Draft) -> Message:
        message = self._table.find(job.id)
        if message is None:
            raise UnknownMessage(id=job.id)
        after = job.step(message)
        self._replace([(message, after)], draft, is_in_line=self._table.is_in_line(job.id))
        return after

    def _replace(self, steps: Sequence[tuple[Message, Message]], draft: Draft, is_in_line: bool | None = None) -> None:
        self._table.update([change(was, after) for was, after in steps])
        for was, after in steps:
            draft.add(was, -1, is_in_line=is_in_line)
            draft.add(after)
        self._owe(steps)

    def _owe(self, steps: Sequence[tuple[Message, Message]]) -> None:
        callbacks = [callback for was, after in steps if (callback := owed(was, after)) is not None]
        self._postbox.add(callbacks)

    def _take(self, job: Take) -> None:
        with self._table.transaction():
            draft = Draft(self.tally)
            for (priority, api_key), number in self._table.wake(job.now).items():
                draft.line(priority, api_key, number)
            messages = self._due(job, draft)
        self.tally = draft.tally()
        job.taken.extend(Lease(message=message, token=next(self._tokens)) for message in messages)
        self._leases.update((lease.message.id, lease.token) for lease in job.taken)

    def _due(self, job: Take, draft: Draft) -> Sequence[Message]:
        match job.state:
            case State.QUEUED:
                lines = {key: self._table.line(*key, without=self._leases) for key in draft.in_line}
                return self._turns.pick(lines, job.now, job.limit)
            case State.SENT | State.DEAD:
                return self._table.to_attend(job.state, job.now, job.limit, without=self._leases)
            case _:
                return self._table.in_doubt(job.limit, without=self._leases)

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
