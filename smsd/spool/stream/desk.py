"""Does the writer's work on a stream: writes wishes into the log, reads on, and answers with what they came to."""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from typing import Any, Final

import attrs

from smsd.core.callback import Callback
from smsd.core.errors import LeaseLost, SmsdError, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.quota import Usage, charge
from smsd.core.settle import abandon
from smsd.core.turns import place
from smsd.ports import Lease
from smsd.spool import record
from smsd.spool.crowds import Crowds
from smsd.spool.jobs import Amend, Append, Parcel, Recover, Release, Simply, Store, Take
from smsd.spool.stream import command
from smsd.spool.stream.command import Command
from smsd.spool.stream.follower import Follower
from smsd.spool.stream.jobs import Follow, Propose, TakeCallbacks
from smsd.spool.tally import Draft
from smsd.spool.writer import Answers, Job

#: How often an amendment that lost against another node's is tried again at once.
TRIES: Final = 20
#: What a node does by itself, without a word in the log or with one of its own.
ALONE: Final = (Take, Release, Simply, Follow, TakeCallbacks)


@attrs.frozen
class _Wish:
    """What a job wants of the log."""

    commands: Sequence[Command]
    conclude: Callable[[Sequence[Any]], Any]


class _Again(Exception):
    """Another node has changed the message meanwhile."""


class StreamDesk(Follower):
    """The desk of one node."""

    def work(self, jobs: Sequence[Job[Any]]) -> Iterator[Answers]:
        """Carry out ``jobs``; yields the answers to the next few of them."""
        for group in _groups(jobs):
            answers: dict[int, Any] = {}
            for numbers in _parts(group):
                answers.update(zip(numbers, self._carry_out([group[number] for number in numbers]), strict=True))
            yield [answers[number] for number in range(len(group))]

    def _carry_out(self, group: Sequence[Job[Any]]) -> Answers:
        try:
            return self._done(group)
        except SpoolUnavailable as error:
            return [error for _ in group]
        except self.trouble as error:
            return [SpoolUnavailable(reason=str(error)) for _ in group]

    def _done(self, group: Sequence[Job[Any]]) -> Answers:
        match group:
            case [Take() as job]:
                self._take(job)
                return [job.taken]
            case [Release() as job]:
                self._let_go(job.leases)
                return [None]
            case [Simply() as job]:
                return [job.write()]
            case [TakeCallbacks() as job]:
                return [job.take() if self._has_lane() else []]
            case [Follow() as job]:
                return [self._follow(job)]
            case _:
                return self._wished(group)

    # What is wanted of the log

    def _wished(self, group: Sequence[Job[Any]]) -> Answers:
        answers: dict[int, Any] = {}
        left = list(enumerate(group))
        for _ in range(TRIES):
            left = self._try(left, answers)
            if not left:
                break
        for number, _ in left:
            answers[number] = SpoolUnavailable(reason="other nodes keep changing the same message")
        return [answers[number] for number in range(len(group))]

    def _try(self, jobs: Sequence[tuple[int, Job[Any]]], answers: dict[int, Any]) -> list[tuple[int, Job[Any]]]:
        wishes: list[tuple[int, Job[Any], _Wish]] = []
        guess = Draft(self.tally)
        for number, job in jobs:
            wish = self._wish(job, guess)
            if isinstance(wish, _Wish):
                wishes.append((number, job, wish))
            else:
                answers[number] = wish
        commands = [each for _, _, wish in wishes for each in wish.commands]
        came_to = iter(self._decide(commands) if commands else [])
        again: list[tuple[int, Job[Any]]] = []
        for number, job, wish in wishes:
            answer = _concluded(wish, [next(came_to) for _ in wish.commands])
            if isinstance(answer, _Again):
                again.append((number, job))
            else:
                answers[number] = answer
        return again

    def _wish(self, job: Job[Any], guess: Draft) -> Any:
        """What ``job`` wants of the log, or its answer, if it is known already."""
        match job:
            case Append():
                return self._append_wish(job, guess)
            case Store():
                if not self.leases.holds(job.lease):
                    return self._unmoved(job)
                change = command.change(job.lease.message, job.after, is_ours=True)
                return _Wish([change], lambda answers: self._settled(job, answers[0]))
            case Amend():
                return self._amendment(job)
            case Recover():
                return self._recovery(job.now)
            case Propose():
                if job.otherwise is not None and not self._has_lane():
                    return job.otherwise()
                return _Wish(job.make(), job.conclude)
            case _:
                raise TypeError(job)

    def _append_wish(self, job: Append, guess: Draft) -> _Wish:
        promises = []
        for parcel in job.parcels:
            promises.append(self._promise(parcel, guess))
            guess.queue(record.counted(parcel.rows))
        return _Wish([command.append(job, promises)], lambda answers: answers[0])

    def _promise(self, parcel: Parcel, guess: Draft) -> str:
        """What the idempotency key of ``parcel`` will be answered with: its place, but for what others append now."""
        if parcel.claim is None:
            return ""
        new = record.counted(parcel.rows)
        usages: tuple[Usage, ...] = ()
        if parcel.quotas and parcel.rows:
            api_key, now = record.origin(parcel.rows[0])
            with suppress(SmsdError):  # the log has the last word
                usages = charge(parcel.quotas, self._table.used(api_key, parcel.quotas, now), new.recipients, now)
        where = attrs.evolve(
            place(guess.in_line, new.first, new.lines, self.leases.next(), self.turns.last),
            usages=usages,
            then=Crowds(self._table.due).join(parcel.rows),
        )
        return parcel.claim.answer(where)

    def _settled(self, job: Store, is_moved: bool) -> Lease | LeaseLost:
        answer = self._kept(job) if is_moved else self._unmoved(job)
        self._stored(job, answer)
        return answer

    def _kept(self, job: Store) -> Lease:
        return attrs.evolve(super()._kept(job), until=self._tenure.until)

    def _unmoved(self, job: Store) -> Lease | LeaseLost:
        # Perhaps it was written down before, and we were not told.
        stored = self._table.find(job.after.id)
        if stored == job.after and job.after.state is not State.SENDING and self.leases.holds(job.lease):
            return self._kept(job)
        return super()._unmoved(job)

    def _amendment(self, job: Amend) -> Any:
        stored = self._table.find(job.id)
        if stored is None:
            self.catch_up()  # another node may have accepted it just now
            stored = self._table.find(job.id)
        if stored is None:
            return UnknownMessage(id=job.id)
        try:
            after = job.step(stored)
        except SmsdError as refused:
            return refused
        change = command.change(stored, after, is_ours=False)
        return _Wish([change], lambda answers: after if answers[0] else _Again())

    def _recovery(self, now: float) -> Any:
        if not self._has_lane():
            return 0
        gone = self._table.abandoned(without=self.leases)
        changes = [command.change(each, abandon(each, now), is_ours=True) for each in gone]
        return _Wish(changes, sum)

    def take_callbacks(self, now: float, until: float, limit: int, per_host: int, without: Set[str]) -> list[Callback]:
        """Callbacks due at ``now``; who has them is written into this ledger only, for nobody else hands any out."""
        with self._table.transaction():
            return self._postbox.take(now, until, limit, per_host, without)

    # The lane

    def _take(self, job: Take) -> None:
        if not self._has_lane() or not self._tenure.may_send:
            job = attrs.evolve(job, limit=0)  # only its place in line is seen to
        elif self._tenure.has_inherited:
            self._wished([Recover(now=job.now)])
            self._tenure.has_inherited = False
        super()._take(job)

    def _grant(self, messages: Sequence[Message]) -> list[Lease]:
        return [attrs.evolve(lease, until=self._tenure.until) for lease in super()._grant(messages)]


def _concluded(wish: _Wish, answers: Sequence[Any]) -> Any:
    broken = next((each for each in answers if isinstance(each, ValueError)), None)
    return wish.conclude(answers) if broken is None else broken


def _groups(jobs: Sequence[Job[Any]]) -> Iterator[Sequence[Job[Any]]]:
    # Wishes go into the log together; but not an amendment with what it may be about, nor two stores of one message.
    # What this node does by itself does not come between them: each entry is a round trip.
    group: list[Job[Any]] = []
    wishes: list[Job[Any]] = []
    touched: set[str] = set()
    for job in jobs:
        ids = {job.lease.message.id} if isinstance(job, Store) else set()
        is_other = bool(wishes) and isinstance(job, Amend) != isinstance(wishes[-1], Amend)
        if wishes and not isinstance(job, ALONE) and (is_other or ids & touched):
            yield group
            group, wishes, touched = [], [], set()
        if not wishes and isinstance(job, ALONE):
            yield [job]
            continue
        group.append(job)
        if not isinstance(job, ALONE):
            wishes.append(job)
            touched |= ids
    if group:
        yield group


def _parts(group: Sequence[Job[Any]]) -> Iterator[Sequence[int]]:
    """The numbers of those of ``group`` that are carried out together: its wishes, then each of the others."""
    if wishes := [number for number, job in enumerate(group) if not isinstance(job, ALONE)]:
        yield wishes
    yield from ([number] for number, job in enumerate(group) if isinstance(job, ALONE))
