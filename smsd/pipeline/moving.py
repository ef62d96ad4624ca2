"""Moves all messages of one spool to another; what is cut off is begun again and goes on."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredList

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import NotAllowed, UnknownMessage
from smsd.core.message import Message
from smsd.core.moving import arrived, leave
from smsd.core.query import Query
from smsd.ports import IEngine

T = TypeVar("T")

#: Messages, idempotency keys or incoming messages that are moved together.
PAGE: Final = 500
#: More recipients than any backlog has: what was accepted is not refused now.
_NO_LIMIT: Final = 10**15


@attrs.frozen(kw_only=True)
class Moved:
    """What came of it."""

    moved: int = 0  #: messages that came to the target
    there: int = 0  #: messages that were there already
    sending: int = 0  #: messages that somebody sends right now, and that stayed


class Mover:
    """Moves what ``source`` has to ``target``.

    First the source gives a message no turn any more, then the target has it: at no time would both send it. The source
    keeps everything, as a record. Idempotency keys and incoming messages go along; callbacks that are owed still stay.
    """

    def __init__(
        self,
        *,
        source: IEngine,
        target: IEngine,
        to: str,
        now: Callable[[], float],
        tell: Callable[[int], None],
        page: int = PAGE,
    ) -> None:
        """Both are open; ``to`` is what the target is called; ``tell`` hears after how many messages it is."""
        self._page = page
        self._source = source
        self._target = target
        self._to = to
        self._now = now
        self._tell = tell

    async def move(self) -> Moved:
        """Move everything, the oldest first. Raises SpoolUnavailable; it may be called again."""
        # Keys first: a client that repeats itself at the target must not be ahead of them.
        await self._move_claims()
        _ = await self._source.recover(self._now())
        result = Moved()
        async for messages in self._pages():
            result = await self._move(messages, result)
            self._tell(result.moved + result.there + result.sending)
        await self._move_inbound()
        return result

    async def _pages(self) -> AsyncIterator[Sequence[Message]]:
        # The ledger goes from the newest back: the way is walked once for where the pages begin.
        places: list[int | None] = [None]
        while (before := (await self._source.search(Query(limit=self._page, before=places[-1]))).before) is not None:
            places.append(before)
        for place in reversed(places):
            yield (await self._source.search(Query(limit=self._page, before=place))).messages[::-1]

    async def _move(self, messages: Sequence[Message], result: Moved) -> Moved:
        left = [each for each in await _together(map(self._leave, messages)) if each is not None]
        new = [each for each in left if not await self._is_there(each)]
        by_key: defaultdict[str, list[Message]] = defaultdict(list)
        for each in new:
            by_key[each.api_key].append(arrived(each))
        for together in by_key.values():
            _ = await self._target.append(together, _NO_LIMIT)
        return Moved(
            moved=result.moved + len(new),
            there=result.there + len(left) - len(new),
            sending=result.sending + len(messages) - len(left),
        )

    async def _leave(self, message: Message) -> Message | None:
        """``message`` as it stays behind; None if it is being sent."""
        try:
            if leave(message, self._to, self._now()) is message:
                return message
            return await self._source.amend(message.id, partial(leave, to=self._to, now=self._now()))
        except NotAllowed:
            return None

    async def _is_there(self, message: Message) -> bool:
        try:
            _ = await self._target.find(message.id)
        except UnknownMessage:
            return False
        return True

    async def _move_claims(self) -> None:
        after = ("", "")
        while claims := await self._source.claims(self._now(), after, self._page):
            _ = await _together(map(self._move_claim, claims))
            after = (claims[-1].api_key, claims[-1].key)

    async def _move_claim(self, claim: Claim) -> None:
        with suppress(Claimed):
            _ = await self._target.append([], _NO_LIMIT, claim)

    async def _move_inbound(self) -> None:
        before: int | None = None
        pages = []
        while True:
            received, before = await self._source.received(self._page, before)
            pages.append(received)
            if before is None:
                break
        for received in reversed(pages):
            for inbound in reversed(received):
                _ = await self._target.receive(inbound, None)


async def _together(each: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """What all of ``each`` come to, once all are done. Raises what the first raised that did not come to anything."""
    results: Any = await DeferredList([Deferred.fromCoroutine(one) for one in each], consumeErrors=True)
    for is_done, result in results:
        if not is_done:
            result.raiseException()
    return [result for _, result in results]
