"""Keeps messages in memory: as many as the queue of 100 of old, and none of them after a restart."""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from itertools import count, islice
from typing import Final

import attrs
from zope.interface import implementer

from smsd.core.callback import Callback, owed
from smsd.core.claim import Claim, Claimed, kept_claim
from smsd.core.errors import LeaseLost, SpoolFull, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.core.query import Page, Query
from smsd.core.quota import Quota, Usage, charge
from smsd.core.report import Inbound
from smsd.core.standing import Standing
from smsd.core.turns import AGEING_S, TOGETHER_S, Place, Turns, ahead, place
from smsd.ports import IEngine, Lease
from smsd.spool.crowds import Crowds
from smsd.spool.leases import Leases
from smsd.spool.memorypost import Postbox
from smsd.spool.record import counted, rows_of

#: Messages that may wait, as in the queue this began with.
LIMIT: Final = 100
#: Messages with nothing left to do that can still be found.
REMEMBERED: Final = 10_000


@implementer(IEngine)
class MemorySpool:
    """A spool and ledger that last as long as the process."""

    def __init__(self, limit: int = LIMIT, remembered: int = REMEMBERED, ageing_s: float = AGEING_S) -> None:
        """At most ``limit`` messages wait; the latest ``remembered`` that are closed can still be found.

        What is ``ageing_s`` seconds in line rises, see core.turns.
        """
        self._limit = limit
        self._remembered = remembered
        self._open: dict[str, Message] = {}  # in the order of acceptance
        self._closed: dict[str, Message] = {}  # in the order of closing
        self._claims: dict[tuple[str, str], tuple[float, Claimed]] = {}  # with the time at which each runs out
        self._leases = Leases()
        self._places: dict[str, int] = {}  # by message id, rising in the order of acceptance
        self._place = count(1)
        self._tokens = count(1)
        self._turns = Turns(ageing_s)
        self._post = Postbox()
        self._beat: float | None = None
        self._looked_at = 0.0  # up to when what has become due is in line
        #: By API key and quota: the start of the window, and the recipients in it.
        self._used: dict[str, dict[str, tuple[float, int]]] = {}
        self._is_ready = False

    def open(self) -> None:
        """Make ready; whatever an earlier process held is forgotten."""
        self._is_ready = True

    def listen(self, wake: Callable[[], None]) -> None:
        """Nothing: no other process can leave something to send."""

    async def close(self) -> None:
        """Take and give nothing more."""
        self._is_ready = False

    async def append(
        self, messages: Sequence[Message], limit: int, claim: Claim | None = None, quotas: Sequence[Quota] = ()
    ) -> Place:
        """Keep ``messages``, all or none; the answer is their place in line.

        Raises Claimed, QuotaExceeded, SpoolFull, SpoolUnavailable once it is closed, and ValueError if an id is stored
        already.
        """
        self._check_ready()
        if claim is not None and (taken := await self.claimed(claim.api_key, claim.key, claim.at)) is not None:
            raise taken
        self._check_room(messages, limit)
        ids = {message.id for message in messages}
        if len(ids) < len(messages) or ids & (self._open.keys() | self._closed.keys()):
            raise ValueError("the spool cannot hold this: a message with its id is stored already")
        rows = rows_of(messages)
        new = counted(rows)
        where = place(self._in_line(), new.first, new.lines, self._leases.next(), self._turns.last)
        if messages:
            then = Crowds(lambda at: Counter(each.line for each in self._crowd(at))).join(rows)
            where = attrs.evolve(where, then=then)
            where = attrs.evolve(where, usages=self._charge(messages, quotas, messages[0].accepted_at))
        if claim is not None:
            kept = Claimed(fingerprint=claim.fingerprint, answer=claim.answer(where))
            self._claims[claim.api_key, claim.key] = (claim.until, kept)
        for message in messages:
            self._put(message)
        return where

    async def append_each(
        self, parcels: Sequence[Sequence[Message]], limit: int
    ) -> list[Place | SpoolFull | ValueError]:
        """Keep each of ``parcels`` that can be kept; see IInbox."""
        answers: list[Place | SpoolFull | ValueError] = []
        for messages in parcels:
            try:
                answers.append(await self.append(messages, limit))
            except (SpoolFull, ValueError) as refused:
                answers.append(refused)
        return answers

    async def claims(self, now: float, after: tuple[str, str], limit: int) -> list[Claim]:
        """Idempotency keys that stand for something; see IInbox."""
        names = [name for name in sorted(self._claims) if name > after and self._claims[name][0] > now]
        return [kept_claim(*name, self._claims[name][1], now, self._claims[name][0]) for name in names[:limit]]

    async def claimed(self, api_key: str, key: str, now: float) -> Claimed | None:
        """What an idempotency key stands for at ``now``, if anything. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        for run_out in [each for each, (until, _) in self._claims.items() if until <= now]:
            del self._claims[run_out]
        return self._claims.get((api_key, key), (0.0, None))[1]

    async def recover(self, now: float) -> int:
        """Nothing: what an earlier process was sending is forgotten."""
        return 0

    async def lease(self, now: float, limit: int, state: State = State.QUEUED) -> list[Lease]:
        """Lease up to ``limit`` messages in ``state`` that are due at ``now`` (UTC epoch seconds).

        Raises SpoolUnavailable once it is closed.
        """
        self._check_ready()
        self._looked_at = max(self._looked_at, now)
        leases = [Lease(message=each, token=next(self._tokens)) for each in self._due(now, limit, state)]
        self._leases.add(leases)
        return leases

    async def store(self, lease: Lease, after: Message) -> Lease:
        """Put ``after`` in the place of ``lease.message``. Raises LeaseLost, and SpoolUnavailable once it is closed."""
        self._check_ready()
        stored = self._stored(lease.message.id)
        is_ours = self._leases.holds(lease) and stored is not None and not stored.is_held
        if stored is None or stored.state is not lease.message.state or not is_ours:
            self._leases.end(lease)
            raise LeaseLost(id=lease.message.id, state="unknown" if stored is None else stored.state.value)
        self._replace(stored, after)
        if after.state is State.SENDING:
            self._leases.begin(lease)
        else:
            self._leases.end(lease)
        return attrs.evolve(lease, message=after)

    async def release(self, lease: Lease) -> None:
        """Give ``lease`` back. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        self._leases.end(lease)

    async def standing(self) -> Standing:
        """How much there is, without the forgotten. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        everything = [*self._open.values(), *self._closed.values()]
        queued = [each for each in everything if each.state is State.QUEUED]
        in_line = self._waiting()
        firsts = {
            priority: min(each.in_line_since for each in in_line if each.priority is priority)
            for priority in {each.priority for each in in_line}
        }
        return Standing(
            depth=Counter((each.state, each.priority) for each in everything),
            in_line=self._in_line(),
            recipients=sum(len(each.recipients) for each in queued),
            firsts=firsts,
        )

    async def find(self, id: str) -> Message:
        """The message ``id``. Raises UnknownMessage, also of a forgotten one, and SpoolUnavailable once closed."""
        self._check_ready()
        if (message := self._stored(id)) is None:
            raise UnknownMessage(id=id)
        return message

    async def search(self, query: Query) -> Page:
        """A page of the messages that ``query`` admits, newest first. Raises SpoolUnavailable once closed."""
        self._check_ready()
        everything = sorted(
            ((self._places[each.id], each) for each in (*self._open.values(), *self._closed.values())), reverse=True
        )
        older = ((place, each) for place, each in everything if query.before is None or place < query.before)
        wanted = list(islice(((place, each) for place, each in older if query.admits(each)), query.limit + 1))
        found = wanted[: query.limit]
        return Page(
            messages=tuple(each for _, each in found),
            before=found[-1][0] if len(wanted) > query.limit else None,
        )

    async def amend(self, id: str, step: Callable[[Message], Message]) -> Message:
        """Put ``step(message)`` in the place of the message ``id``; see ILedger."""
        message = await self.find(id)
        after = step(message)
        self._replace(message, after)
        if after.state is not State.QUEUED:
            self._leases.leave(id)
        return after

    async def ahead(self, id: str) -> Place | None:
        """Where message ``id`` stands in line. Raises UnknownMessage and SpoolUnavailable."""
        message = await self.find(id)
        if message.state is not State.QUEUED or message.is_held:
            return None
        if (turn := self._leases.turn(id)) is not None:
            return Place(first=turn, last=turn)
        line = self._line(message.priority, message.api_key)
        before, then = (line.index(message), 0) if message in line else (len(line), self._then(message))
        here = ahead(self._in_line(), message.line, before, self._leases.next(), self._turns.last)
        return Place(first=here, last=here, then=then)

    def _then(self, message: Message) -> int:
        crowd = self._crowd(message.not_before)
        place = self._places[message.id]
        return ahead(
            Counter(each.line for each in crowd),
            message.line,
            sum(1 for each in crowd if each.line == message.line and self._places[each.id] < place),
        )

    def _crowd(self, at: float) -> list[Message]:
        queued = (each for each in self._open.values() if each.state is State.QUEUED and not each.is_held)
        in_line = {each.id for each in self._waiting()}
        return [each for each in queued if at - TOGETHER_S < each.not_before <= at and each.id not in in_line]

    async def overdue(self, now: float, limit: int) -> Sequence[str]:
        """The ids of up to ``limit`` queued messages whose validity has ended; see ILedger."""
        self._check_ready()
        queued = (each for each in self._open.values() if each.state is State.QUEUED)
        return [each.id for each in queued if each.is_stale(now)][:limit]

    async def forget(self, before: float, limit: int) -> int:
        """Forget up to ``limit`` messages that ended before ``before``, and not only their text and numbers."""
        self._check_ready()
        finished = (each for each in self._closed.values() if each.state is not State.DEAD)
        old = list(islice((each for each in finished if each.changed_at < before), limit))
        for message in old:
            self._forget(message)
        return len(old) + self._post.forget(before, limit)

    async def beat(self, now: float) -> float | None:
        """When messages could last be sent, which is now; see IOutbox."""
        self._check_ready()
        last, self._beat = self._beat, now
        return last

    async def hold(self, before: float, limit: int) -> int:
        """Hold up to ``limit`` messages in line since before ``before``; see IOutbox."""
        self._check_ready()
        late = [each for each in self._waiting() if each.in_line_since < before][:limit]
        self._open.update((each.id, attrs.evolve(each, is_held=True)) for each in late)
        return len(late)

    async def unhold(self, since: float, now: float, limit: int) -> int:
        """Let up to ``limit`` held messages accepted since ``since`` into line again; see ILedger."""
        self._check_ready()
        held = [each for each in self._open.values() if each.is_held and each.accepted_at >= since][:limit]
        self._open.update((each.id, attrs.evolve(each, is_held=False, changed_at=now)) for each in held)
        return len(held)

    async def take_callbacks(
        self, now: float, until: float, limit: int, per_host: int, without: Set[str]
    ) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``; see ICallbackQueue."""
        self._check_ready()
        return self._post.take(now, until, limit, per_host, without)

    async def settle_callback(self, callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        self._post.settle(callback, after)

    async def silence(self, id: str) -> None:
        """Owe nobody anything more of message ``id``. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        if (message := self._stored(id)) is not None:
            self._replace(message, attrs.evolve(message, callback_url=""))
        self._post.silence(id)

    async def receive(self, inbound: Inbound, callback: Callback | None) -> bool:
        """Keep an incoming message; see ICallbackQueue."""
        self._check_ready()
        return self._post.receive(inbound, callback)

    async def received(self, limit: int, before: int | None = None) -> tuple[list[Inbound], int | None]:
        """Incoming messages, newest first; see ICallbackQueue."""
        self._check_ready()
        return self._post.received(limit, before)

    def _put(self, message: Message) -> None:
        self._places.setdefault(message.id, next(self._place))
        if message.is_open():
            self._closed.pop(message.id, None)
            self._open[message.id] = message
            return
        self._open.pop(message.id, None)
        self._closed.pop(message.id, None)  # the latest to close is the last to be forgotten
        self._closed[message.id] = message
        if len(self._closed) > self._remembered:
            self._forget(next(iter(self._closed.values())))

    def _replace(self, was: Message, after: Message) -> None:
        self._put(after)
        for callback in owed(was, after):
            self._post.add(callback)

    def _forget(self, message: Message) -> None:
        del self._closed[message.id]
        del self._places[message.id]

    def _check_room(self, messages: Sequence[Message], limit: int) -> None:
        queued = [each for each in self._open.values() if each.state is State.QUEUED]
        waiting = sum(len(each.recipients) for each in queued)
        asked = sum(len(each.recipients) for each in messages)
        if waiting + asked > limit:
            raise self._full(waiting=waiting, asked=asked, limit=limit, messages=len(queued))
        if len(queued) + len(messages) > self._limit:
            raise self._full(waiting=waiting, asked=asked, limit=self._limit, messages=len(queued))

    def _full(self, **counts: int) -> SpoolFull:
        in_line = self._waiting()
        full = SpoolFull(in_line=len(in_line), **counts)
        queued = (each for each in self._open.values() if each.state is State.QUEUED and not each.is_held)
        times = sorted(each.not_before for each in queued if each not in in_line)
        return attrs.evolve(full, due_at=times[full.later - 1]) if 0 < full.later <= len(times) else full

    def _charge(self, messages: Sequence[Message], quotas: Sequence[Quota], now: float) -> tuple[Usage, ...]:
        if not quotas:
            return ()
        counts = self._used.setdefault(messages[0].api_key, {})
        starts = {each.name: each.start(now) for each in quotas}
        used = {name: counts[name][1] for name, start in starts.items() if counts.get(name, (None,))[0] == start}
        usages = charge(quotas, used, sum(len(each.recipients) for each in messages), now)
        counts.update((each.quota.name, (each.quota.start(now), each.used)) for each in usages)
        return usages

    def _waiting(self) -> list[Message]:
        # What was due once stays due, though the clock be set back.
        queued = (each for each in self._open.values() if each.state is State.QUEUED and not each.is_held)
        due = (each for each in queued if each.not_before <= max(self._looked_at, each.changed_at))
        return sorted(due, key=lambda each: self._places[each.id])  # a dead one that came back is the oldest again

    def _line(self, priority: Priority, api_key: str) -> list[Message]:
        return [each for each in self._waiting() if (each.priority, each.api_key) == (priority, api_key)]

    def _in_line(self) -> Counter[tuple[Priority, str]]:
        return Counter((each.priority, each.api_key) for each in self._waiting())

    def _due(self, now: float, limit: int, state: State) -> list[Message]:
        if state in (State.SENT, State.DEAD):
            ended = (each for each in self._closed.values() if each.state is state and each.id not in self._leases)
            due = [(each.attend_at, each) for each in ended if each.attend_at is not None and each.attend_at <= now]
            return [each for _, each in sorted(due, key=lambda pair: pair[0])][:limit]
        if state is State.UNCERTAIN:
            doubted = (each for each in self._open.values() if each.state is state and each.id not in self._leases)
            waited = [each for each in doubted if each.not_before <= max(self._looked_at, each.changed_at)]
            return sorted(waited, key=lambda message: message.priority)[:limit]
        lines = {
            place: (each for each in self._line(*place) if each.id not in self._leases) for place in self._in_line()
        }
        return self._turns.pick(lines, now, limit)

    def _stored(self, id: str) -> Message | None:
        return self._open.get(id) or self._closed.get(id)

    def _check_ready(self) -> None:
        if not self._is_ready:
            raise SpoolUnavailable(reason="it is closed")
