"""Calls messages back, and puts dead ones into the queue again, at somebody's word."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from smsd.core.errors import NotAllowed, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import of
from smsd.core.query import MAX_PAGE, Query
from smsd.core.settle import cancel, expire_held, revive
from smsd.pipeline.together import together
from smsd.ports import ILedger, IReporter

Amending = Coroutine[Deferred[Any], Any, Message]


class Operations:
    """What a client or an operator may do with a message that was accepted."""

    def __init__(
        self, *, ledger: ILedger, now: Callable[[], float], wake: Callable[[], None], reporter: IReporter
    ) -> None:
        """``wake`` is called when a message is queued again."""
        self._ledger = ledger
        self.now = now  #: the clock that its deeds go by
        self._wake = wake
        self._reporter = reporter

    async def find(self, id: str) -> tuple[Message, ...]:
        """The message ``id``, or the parts of the broadcast ``id``. Raises UnknownMessage, SpoolUnavailable."""
        try:
            return (await self._ledger.find(id),)
        except UnknownMessage:
            return await self._parts(id)

    async def cancel(self, id: str) -> tuple[Message, ...]:
        """Call the message ``id`` back, or all of the broadcast ``id`` that waits; the answer is how it stands.

        Raises UnknownMessage, NotAllowed once (all of) it is being sent or was, SpoolUnavailable.
        """
        return await self._each(id, self._cancel, State.CANCELED)

    async def replay(self, id: str) -> tuple[Message, ...]:
        """Queue the dead message ``id`` again, or all of the broadcast ``id`` that is dead; answers how it stands.

        Raises UnknownMessage, NotAllowed if nothing of it is dead, SpoolUnavailable.
        """
        return await self._each(id, self._replay, State.QUEUED)

    async def replay_all(self, query: Query) -> int:
        """Queue every dead message that ``query`` admits again; answers how many. Raises SpoolUnavailable."""
        count = 0
        async for messages in self._pages(attrs.evolve(query, state=State.DEAD)):
            count += await _done_in_time([self._replay(message.id) for message in messages])
        return count

    async def send_held(self, since: float) -> int:
        """Let every held message that was accepted since ``since`` (UTC epoch seconds) go; answers how many."""
        count = 0
        while (step := await self._ledger.unhold(since, self.now(), MAX_PAGE)) > 0:
            count += step
        self._wake()
        return count

    async def expire_held(self) -> int:
        """Expire every held message; answers how many. Raises SpoolUnavailable."""
        count = 0
        async for messages in self._pages(Query(is_held=True, limit=MAX_PAGE)):
            count += await _done_in_time([self._expire(message.id) for message in messages])
        return count

    async def _parts(self, id: str) -> tuple[Message, ...]:
        parts = [part async for messages in self._pages(Query(batch=id, limit=MAX_PAGE)) for part in messages]
        if not parts:
            raise UnknownMessage(id=id)
        return tuple(reversed(parts))

    async def _pages(self, query: Query) -> AsyncIterator[tuple[Message, ...]]:
        before = query.before
        while True:
            page = await self._ledger.search(attrs.evolve(query, before=before))
            yield page.messages
            if (before := page.before) is None:
                return

    async def _each(self, id: str, step: Callable[[str], Amending], wanted: State) -> tuple[Message, ...]:
        """Take ``step`` with the message ``id``, or with each part of the broadcast ``id`` that it is not too late for.

        Raises NotAllowed to become ``wanted`` if it is too late for all.
        """
        messages = await self.find(id)
        if len(messages) == 1:
            return (await step(messages[0].id),)
        if not await _done_in_time([step(message.id) for message in messages]):
            raise NotAllowed(state=messages[0].state.value, wanted=wanted.value)
        return await self._parts(id)

    async def _cancel(self, id: str) -> Message:
        return await self._amend(id, cancel)

    async def _replay(self, id: str) -> Message:
        revived = await self._amend(id, revive)
        self._wake()
        return revived

    async def _expire(self, id: str) -> Message:
        return await self._amend(id, expire_held)

    async def _amend(self, id: str, step: Callable[[Message, float], Message]) -> Message:
        after = await self._ledger.amend(id, lambda message: step(message, self.now()))
        self._reporter.report(of(after))
        return after


async def _done_in_time(steps: Iterable[Amending]) -> int:
    """How many of ``steps`` were not too late; all at once, so that they share a commit."""
    begun = [_is_done(step) for step in steps]
    return sum(await together(begun)) if begun else 0


async def _is_done(step: Amending) -> bool:
    try:
        await step
    except NotAllowed:
        return False  # somebody else was faster
    return True
