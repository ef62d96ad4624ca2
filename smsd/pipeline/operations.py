"""Calls messages back, and puts dead ones into the queue again, at somebody's word."""

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.errors import NotAllowed, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import of
from smsd.core.query import MAX_PAGE, Query
from smsd.core.settle import cancel, revive
from smsd.ports import ILedger, IReporter


class Operations:
    """What a client or an operator may do with a message that was accepted."""

    def __init__(
        self, *, ledger: ILedger, now: Callable[[], float], wake: Callable[[], None], reporter: IReporter
    ) -> None:
        """``wake`` is called when a message is queued again."""
        self._ledger = ledger
        self._now = now
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
        messages = await self.find(id)
        if len(messages) == 1:
            return (await self._cancel(messages[0].id),)
        tries = [Deferred.fromCoroutine(self._try_to_cancel(message.id)) for message in messages]
        canceled: list[bool] = await gatherResults(tries)
        if not any(canceled):
            raise NotAllowed(state=messages[0].state.value, wanted=State.CANCELED.value)
        return await self._parts(id)

    async def replay(self, id: str) -> Message:
        """Queue dead message ``id`` again. Raises UnknownMessage, NotAllowed if it is not dead, SpoolUnavailable."""
        revived = await self._ledger.amend(id, lambda message: revive(message, self._now()))
        self._reporter.report(of(revived))
        self._wake()
        return revived

    async def replay_all(self, query: Query) -> int:
        """Queue every dead message that ``query`` admits again; answers how many. Raises SpoolUnavailable."""
        count, query = 0, attrs.evolve(query, state=State.DEAD)
        while True:
            page = await self._ledger.search(query)
            # All of a page at once: they share a commit.
            replays = [Deferred.fromCoroutine(self._replay_if_dead(message.id)) for message in page.messages]
            count += sum(await gatherResults(replays))
            if page.before is None:
                return count
            query = attrs.evolve(query, before=page.before)

    async def _parts(self, id: str) -> tuple[Message, ...]:
        query, parts = Query(batch=id, limit=MAX_PAGE), list[Message]()
        while True:
            page = await self._ledger.search(query)
            parts += page.messages
            if page.before is None:
                break
            query = attrs.evolve(query, before=page.before)
        if not parts:
            raise UnknownMessage(id=id)
        return tuple(reversed(parts))

    async def _cancel(self, id: str) -> Message:
        canceled = await self._ledger.amend(id, lambda message: cancel(message, self._now()))
        self._reporter.report(of(canceled))
        return canceled

    async def _try_to_cancel(self, id: str) -> bool:
        try:
            await self._cancel(id)
        except NotAllowed:
            return False
        return True

    async def _replay_if_dead(self, id: str) -> bool:
        try:
            await self.replay(id)
        except NotAllowed:
            return False  # somebody else was faster
        return True
