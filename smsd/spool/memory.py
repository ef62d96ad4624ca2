"""Keeps messages in memory: as many as the queue of 100 of old, and none of them after a restart."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count, islice
from typing import Final

import attrs
from zope.interface import implementer

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import LeaseLost, SpoolFull, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.query import Page, Query
from smsd.ports import IEngine, Lease

#: Messages that may wait, as in the queue this began with.
LIMIT: Final = 100
#: Messages with nothing left to do that can still be found.
REMEMBERED: Final = 10_000


@implementer(IEngine)
class MemorySpool:
    """A spool and ledger that last as long as the process."""

    def __init__(self, limit: int = LIMIT, remembered: int = REMEMBERED) -> None:
        """At most ``limit`` messages wait; the latest ``remembered`` that are closed can still be found."""
        self._limit = limit
        self._remembered = remembered
        self._open: dict[str, Message] = {}  # in the order of acceptance
        self._closed: dict[str, Message] = {}  # in the order of closing
        self._claims: dict[tuple[str, str], tuple[float, Claimed]] = {}  # with the time at which each runs out
        self._leases: dict[str, int] = {}  # token by message id
        self._places: dict[str, int] = {}  # by message id, rising in the order of acceptance
        self._place = count(1)
        self._tokens = count(1)
        self._depth = dict.fromkeys(State, 0)
        self._is_ready = False

    def open(self) -> None:
        """Make ready; whatever an earlier process held is forgotten."""
        self._is_ready = True

    async def close(self) -> None:
        """Take and give nothing more."""
        self._is_ready = False

    async def append(self, messages: Sequence[Message], limit: int, claim: Claim | None = None) -> int:
        """Keep ``messages``, all or none; the answer is how many are ahead of the first.

        Raises Claimed, SpoolFull, SpoolUnavailable once it is closed, and ValueError if an id is stored already.
        """
        self._check_ready()
        if claim is not None and (taken := await self.claimed(claim.api_key, claim.key, claim.at)) is not None:
            raise taken
        waiting = self._depth[State.QUEUED]
        limit = min(limit, self._limit)
        if waiting + len(messages) > limit:
            raise SpoolFull(waiting=waiting, limit=limit)
        ids = {message.id for message in messages}
        if len(ids) < len(messages) or ids & (self._open.keys() | self._closed.keys()):
            raise ValueError("the spool cannot hold this: a message with its id is stored already")
        ahead = self._ahead_of(messages[0]) if messages else 0
        if claim is not None:
            kept = Claimed(fingerprint=claim.fingerprint, answer=claim.answer(ahead))
            self._claims[claim.api_key, claim.key] = (claim.until, kept)
        for message in messages:
            self._put(message)
        return ahead

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
        due = [
            message
            for message in self._open.values()
            # What was due when it came into its state stays due, though the clock may be set back.
            if message.state is state
            and message.not_before <= max(now, message.changed_at)
            and message.id not in self._leases
        ]
        # A stable sort: within a priority the oldest stays first.
        due.sort(key=lambda message: message.priority)
        leases = [Lease(message=message, token=next(self._tokens)) for message in due[:limit]]
        self._leases.update((lease.message.id, lease.token) for lease in leases)
        return leases

    async def store(self, lease: Lease, after: Message) -> Lease:
        """Put ``after`` in the place of ``lease.message``. Raises LeaseLost, and SpoolUnavailable once it is closed."""
        self._check_ready()
        stored = self._stored(lease.message.id)
        if stored is None or stored.state is not lease.message.state or not self._holds(lease):
            self._end(lease)
            raise LeaseLost(id=lease.message.id, state="unknown" if stored is None else stored.state.value)
        self._depth[stored.state] -= 1
        self._put(after)
        if after.state is not State.SENDING:
            self._end(lease)
        return attrs.evolve(lease, message=after)

    async def release(self, lease: Lease) -> None:
        """Give ``lease`` back. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        self._end(lease)

    async def depth(self) -> Mapping[State, int]:
        """How many messages are in each state, without the forgotten. Raises SpoolUnavailable once it is closed."""
        self._check_ready()
        return dict(self._depth)

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
        self._depth[message.state] -= 1
        self._put(after)
        return after

    def _put(self, message: Message) -> None:
        self._places.setdefault(message.id, next(self._place))
        self._depth[message.state] += 1
        if message.is_open():
            self._closed.pop(message.id, None)
            self._open[message.id] = message
            return
        self._open.pop(message.id, None)
        self._closed.pop(message.id, None)  # the latest to close is the last to be forgotten
        self._closed[message.id] = message
        if len(self._closed) > self._remembered:
            forgotten = self._closed.pop(next(iter(self._closed)))
            del self._places[forgotten.id]
            self._depth[forgotten.state] -= 1

    def _ahead_of(self, message: Message) -> int:
        now = message.accepted_at
        waiting = (each for each in self._open.values() if each.state is State.QUEUED and each.not_before <= now)
        return sum(each.priority <= message.priority for each in waiting)

    def _stored(self, id: str) -> Message | None:
        return self._open.get(id) or self._closed.get(id)

    def _holds(self, lease: Lease) -> bool:
        return self._leases.get(lease.message.id) == lease.token

    def _end(self, lease: Lease) -> None:
        if self._holds(lease):
            del self._leases[lease.message.id]

    def _check_ready(self) -> None:
        if not self._is_ready:
            raise SpoolUnavailable(reason="it is closed")
