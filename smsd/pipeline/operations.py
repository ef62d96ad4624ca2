"""Calls messages back, and puts dead ones into the queue again, at somebody's word."""

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.errors import NotAllowed
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import of
from smsd.core.query import Query
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

    async def cancel(self, id: str) -> Message:
        """Call message ``id`` back. Raises UnknownMessage, NotAllowed once it is being sent, SpoolUnavailable."""
        canceled = await self._ledger.amend(id, lambda message: cancel(message, self._now()))
        self._reporter.report(of(canceled))
        return canceled

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

    async def _replay_if_dead(self, id: str) -> bool:
        try:
            await self.replay(id)
        except NotAllowed:
            return False  # somebody else was faster
        return True
