"""The model of a spool: a list of messages, and what must be true of every answer of an engine."""

from collections.abc import Callable, Sequence, Set
from itertools import pairwise
from typing import Final

import attrs

from smsd.core.callback import Callback
from smsd.core.claim import Claim, Claimed
from smsd.core.errors import LeaseLost, NotAllowed, SmsdError, SpoolFull, StillSending, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.settle import abandon
from smsd.core.turns import TOGETHER_S, Place
from smsd.ports import Lease
from tests.model.duties import Duties

#: What may follow each state, written down a second time: from DESIGN.md, section 3.
MAY_FOLLOW: Final = {
    "queued": "sending sent expired canceled",
    "sending": "sent queued dead uncertain",
    "uncertain": "sent queued dead",
    "sent": "delivered undelivered",
    "dead": "queued",
}


class Book:
    """Watches what an engine is asked for and answers; raises AssertionError when it is wrong."""

    def __init__(self, *, forgets_wholly: bool) -> None:
        """``forgets_wholly``: what is forgotten can no longer be found, else only its text and numbers are gone."""
        self._forgets_wholly = forgets_wholly
        self.messages: dict[str, Message] = {}  # in the order of acceptance
        self.duties = Duties()
        self.wrong: list[Exception] = []  # where the engine and this did not agree
        self._leases: dict[str, int] = {}
        self._claims: dict[tuple[str, str], tuple[float, Claimed]] = {}
        self._looked_at = 0.0  # up to when what has become due is in line

    def process_died(self) -> None:
        """Nobody holds a lease any more."""
        self._leases.clear()

    def queued(self) -> list[Message]:
        return [each for each in self.messages.values() if each.state is State.QUEUED]

    def in_line(self) -> list[Message]:
        """What waits and may go, in the order of acceptance."""
        return [each for each in self.queued() if self._is_due(each) and not each.is_held]

    def is_taken(self, message: Message) -> bool:
        """Whether ``message`` is in line and leased."""
        return message.id in self._leases and self._is_due(message) and not message.is_held

    def strays(self) -> int:
        """How many are leased that are in line no more: they are held, or were canceled."""
        line = {each.id for each in self.in_line()}
        return sum(id not in line for id in self._leases)

    def younger(self, message: Message) -> int:
        """How many of the line of ``message`` are leased, though they were accepted after it, if it is in line."""
        line = [each for each in self.in_line() if each.line == message.line]
        if message not in line:
            return 0
        return sum(each.id in self._leases for each in line[line.index(message) + 1 :])

    def rivals(self, message: Message) -> int:
        """How many other API keys take turns with that of ``message``."""
        return len({each.api_key for each in self.queued() if each.priority is message.priority} - {message.api_key})

    def ahead(self, message: Message) -> int | None:
        """How many go before ``message``, which is queued, if nothing else comes."""
        line = self.in_line()
        if message in line:
            taken = [each for each in line if each.id in self._leases and each is not message]
            return len(taken) + self._place(message, [each for each in line if each not in taken])
        if message.is_held:
            return None
        at = message.not_before
        scheduled = [each for each in self.queued() if not each.is_held and not self._is_due(each)]
        return self._place(message, [each for each in scheduled if at - TOGETHER_S < each.not_before <= at])

    def _place(self, message: Message, line: list[Message]) -> int:
        mine = line.index(message)
        rivals = [each for each in line[mine + 1 :] if each.line != message.line]
        return self.before(message, [*line[:mine], *rivals])

    def before(self, message: Message, line: list[Message]) -> int:
        """How many of ``line`` go before ``message``, the last of its own API key's in it: played through."""
        better = [each for each in line if each.priority < message.priority]
        rivals = [each for each in line if each.priority is message.priority]
        own = [each for each in rivals if each.api_key == message.api_key]
        others: dict[str, list[Message]] = {}
        for each in rivals:
            if each.api_key != message.api_key:
                others.setdefault(each.api_key, []).append(each)
        gone = len(better)
        for each in [*own, message]:
            gone += sum(1 for waiting in others.values() if waiting and waiting.pop(0))
            if each is message:
                return gone
            gone += 1
        raise AssertionError

    def append(
        self, outcome: object, messages: Sequence[Message], limit: int, claim: Claim | None, _: object = ()
    ) -> None:
        if claim is not None:
            until, claimed = self._claims.get((claim.api_key, claim.key), (0.0, None))
            if until > claim.at:
                assert isinstance(outcome, Claimed)
                assert attrs.asdict(outcome) == attrs.asdict(claimed)
                return
        asked = sum(len(each.recipients) for each in messages)
        if asked + sum(len(each.recipients) for each in self.queued()) > limit:
            assert isinstance(outcome, SpoolFull)
            return
        assert isinstance(outcome, Place)
        line = self.in_line()
        free = [each for each in line if each.id not in self._leases]
        expected = len(line) - len(free) + self.before(messages[0], free)
        # Whose turn was last, the book does not know.
        assert expected - self.rivals(messages[0]) <= outcome.first <= expected + self.strays()
        self.messages.update((each.id, each) for each in messages)
        if claim is not None:
            kept = Claimed(fingerprint=claim.fingerprint, answer=claim.answer(outcome))
            self._claims[claim.api_key, claim.key] = (claim.until, kept)

    def recover(self, outcome: object, now: float) -> None:
        gone = [each for each in self.messages.values() if each.state is State.SENDING and each.id not in self._leases]
        assert outcome == len(gone)
        for each in gone:
            self._replace(abandon(each, now))

    def lease(self, outcome: Sequence[Lease], now: float, limit: int, state: State = State.QUEUED) -> None:
        self._looked_at = max(self._looked_at, now)
        free = [each for each in self.messages.values() if each.state is state and each.id not in self._leases]
        due = [each for each in free if self._is_due(each) and not each.is_held]
        leased = [lease.message for lease in outcome]
        assert len(leased) == min(limit, len(due))
        assert [each.priority for each in leased] == sorted(each.priority for each in due)[:limit]
        for line in {(each.priority, each.api_key) for each in due}:
            taken = [each for each in leased if (each.priority, each.api_key) == line]
            waiting = [each for each in due if (each.priority, each.api_key) == line]
            assert taken == waiting[: len(taken)], "the oldest of a line goes first"
            share = max([len(taken), *(_of_key(leased, each) for each in leased if each.priority is line[0])])
            assert state is not State.QUEUED or len(taken) in (share, share - 1, len(waiting)), "keys take turns"
        self._leases.update((lease.message.id, lease.token) for lease in outcome)

    def release(self, _: object, lease: Lease) -> None:
        if self._holds(lease):
            del self._leases[lease.message.id]

    def store(self, outcome: object, lease: Lease, after: Message) -> None:
        stored = self.messages[after.id]
        if self._holds(lease) and stored.state is lease.message.state and not stored.is_held:
            assert outcome == attrs.evolve(lease, message=after)
            self._replace(after)
        else:
            assert isinstance(outcome, LeaseLost)
        if isinstance(outcome, LeaseLost) or after.state is not State.SENDING:
            self.release(None, lease)

    def amend(self, outcome: object, id: str, _: Callable[[Message], Message]) -> None:
        if isinstance(outcome, UnknownMessage):
            assert id not in self.messages
        elif not isinstance(outcome, NotAllowed | StillSending):
            assert isinstance(outcome, Message)
            self._replace(outcome)

    def hold(self, outcome: object, before: float, limit: int) -> None:
        late = [each for each in self.in_line() if max(each.changed_at, each.not_before) < before]
        assert outcome == len(late) < limit
        self.messages.update((each.id, attrs.evolve(each, is_held=True)) for each in late)

    def unhold(self, outcome: object, since: float, now: float, limit: int) -> None:
        held = [each for each in self.messages.values() if each.is_held and each.accepted_at >= since]
        assert outcome == len(held) < limit
        self.messages.update((each.id, attrs.evolve(each, is_held=False, changed_at=now)) for each in held)

    def forget(self, outcome: object, before: float, limit: int) -> None:
        closed = (State.SENT, State.DELIVERED, State.UNDELIVERED, State.EXPIRED, State.CANCELED)
        old = [each for each in self.messages.values() if each.state in closed and each.changed_at < before]
        old = [each for each in old if each.body]
        assert outcome == len(old) < limit
        for each in old:
            self.messages[each.id] = _forgotten(each)
            if self._forgets_wholly:
                del self.messages[each.id]

    def take_callbacks(
        self, outcome: Sequence[Callback], now: float, until: float, limit: int, per_host: int, _: Set[str]
    ) -> None:
        self.duties.taken(outcome, now, until, limit, per_host)

    def settle_callback(self, outcome: object, callback: Callback, after: Callback | None) -> None:
        assert not isinstance(outcome, SmsdError)
        self.duties.settled(callback, after)

    def _is_due(self, message: Message) -> bool:
        return message.not_before <= max(self._looked_at, message.changed_at)

    def _holds(self, lease: Lease) -> bool:
        return self._leases.get(lease.message.id) == lease.token

    def _replace(self, after: Message) -> None:
        was = self.messages[after.id]
        self.messages[after.id] = after
        if after.state is was.state:
            return
        # A report may lead further in one step: of what was uncertain it tells that it is sent, and more.
        new = [event.state for event in after.history[len(was.history) :]] or [after.state]
        assert new[-1] is after.state
        for now, then in pairwise([was.state, *new]):
            assert then.value in MAY_FOLLOW[now.value].split()
        if after.state is State.SENDING:
            assert after.changed_at >= was.not_before
            assert after.valid_until is None or after.changed_at < after.valid_until
        self.duties.moved(after, new)


def _of_key(messages: list[Message], like: Message) -> int:
    return sum(1 for each in messages if (each.priority, each.api_key) == (like.priority, like.api_key))


def _forgotten(message: Message) -> Message:
    gone = {"body": "", "error": "", "reference": "", "callback_url": ""}
    return attrs.evolve(message, recipients=(), deliveries=(), history=(), attend_at=None, **gone)
