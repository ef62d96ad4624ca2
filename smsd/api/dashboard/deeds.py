"""Does what an operator wants done, after a question that says to how many."""

from collections.abc import Callable, Mapping
from typing import Final

import attrs
from werkzeug.exceptions import NotFound

from smsd.api.held import Held
from smsd.api.queries import REPLAYABLE, read_query
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.moment import moment
from smsd.core.query import MAX_PAGE, Query
from smsd.pipeline.operations import Operations
from smsd.ports import ILedger

#: Messages that are counted one by one before somebody is only told that there are more.
COUNT_LIMIT: Final = 20_000

#: Minutes that a held message may be old, to choose from.
FRESH_MIN: Final = (5, 15, 60, 360)


@attrs.frozen(kw_only=True)
class Question:
    """What is asked before something is done."""

    title: str
    says: str  #: what will happen
    button: str
    back: str  #: where to go if it is not to be done
    fields: Mapping[str, str]  #: what the answer has to carry
    is_final: bool = False  #: whether it cannot be undone
    is_empty: bool = False  #: whether there is nothing to do it to


class Deeds:
    """The deeds by their names, each with what it needs to know as the fields of a form."""

    def __init__(self, *, operations: Operations, ledger: ILedger, now: Callable[[], float]) -> None:
        """``now`` is in UTC epoch seconds."""
        self._operations = operations
        self._ledger = ledger
        self._held = Held(operations)
        self._now = now

    async def ask(self, deed: str, given: Mapping[str, str]) -> Question:
        """What is asked before ``deed``. Raises NotFound, UnknownMessage, InvalidBody and SpoolUnavailable."""
        match deed:
            case "cancel" if "id" in given:
                return _cancel(given["id"], await self._operations.find(given["id"]))
            case "replay" if "id" in given:
                count = _in(State.DEAD, await self._operations.find(given["id"]))
                return _replay(_some(count, "dead letter"), {"id": given["id"]}, f"/dashboard/messages/{given['id']}")
            case "replay":
                # None that dies after the question was asked.
                fields = {"until": moment(self._now() + 0.001), **given}  # a moment is cut to the millisecond
                dead = attrs.evolve(read_query(fields, only=REPLAYABLE), state=State.DEAD)
                return _replay(await self._counted(dead, "dead letter"), fields, "/dashboard/messages?state=dead")
            case "send-held":
                return await self._send_held(given)
            case "expire-held":
                return _expire_held(await self._counted(Query(is_held=True), "held message"))
            case _:
                raise NotFound

    async def do(self, deed: str, given: Mapping[str, str]) -> str:
        """Do it; the answer is a sentence that says what was done. Raises as ``ask`` does, and NotAllowed."""
        match deed:
            case "cancel" if "id" in given:
                after = await self._operations.cancel(given["id"])
                return f"{_some(_in(State.CANCELED, after))} canceled."
            case "replay" if "id" in given:
                after = await self._operations.replay(given["id"])
                return f"{_some(len(after) - _in(State.DEAD, after))} queued again."
            case "replay":
                query = read_query(given, only=REPLAYABLE)
                return f"{_some(await self._operations.replay_all(query))} queued again."
            case "send-held":
                return await self._release({"action": "send", **given})
            case "expire-held":
                return await self._release({"action": "expire"})
            case _:
                raise NotFound

    def choices(self) -> list[tuple[str, str]]:
        """How new what is sent of the held may be: in words, and as ``newer_than``."""
        return [(f"{minutes} minutes", moment(self._now() - minutes * 60)) for minutes in FRESH_MIN]

    async def _release(self, body: Mapping[str, str]) -> str:
        done = (await self._held.take(body)).body
        return f"Of the held messages {done['sent']:,} go, and {done['expired']:,} expired."

    async def _send_held(self, given: Mapping[str, str]) -> Question:
        fields = {name: given[name] for name in ("newer_than",) if name in given}
        query = Query(is_held=True)
        rest = ""
        if fields:
            query = attrs.evolve(query, since=read_query({"since": fields["newer_than"]}).since)
            rest = " The older ones expire, and are never sent."
        count = await self._counted(query, "held message")
        return Question(
            title=f"Send {count}?",
            says=f"They go in their turn, at the agreed pace.{rest}",
            button=f"Send {count}",
            back="/dashboard/do/held",
            fields=fields,
            is_final=bool(rest),
            is_empty=not rest and count.startswith("0 "),
        )

    async def _counted(self, query: Query, word: str) -> str:
        """How many messages ``query`` admits, in words; reads them all, for no engine keeps count of every question."""
        count, query = 0, attrs.evolve(query, limit=MAX_PAGE)
        while count < COUNT_LIMIT:
            page = await self._ledger.search(query)
            count += len(page.messages)
            if page.before is None:
                return _some(count, word)
            query = attrs.evolve(query, before=page.before)
        return f"more than {_some(count, word)}"


def _cancel(id: str, messages: tuple[Message, ...]) -> Question:
    count = _in(State.QUEUED, messages)
    return Question(
        title=f"Cancel {_some(count)}?",
        says="What still waits is never sent. This cannot be undone.",
        button=f"Cancel {_some(count)}",
        back=f"/dashboard/messages/{id}",
        fields={"id": id},
        is_final=True,
        is_empty=not count,
    )


def _replay(count: str, fields: Mapping[str, str], back: str) -> Question:
    return Question(
        title=f"Send {count} again?",
        says="Each is queued with a fresh set of tries, and without its validity, which may be over. What was refused "
        "for a reason that still holds will be refused again.",
        button=f"Replay {count}",
        back=back,
        fields=fields,
        is_empty=count.startswith("0 "),
    )


def _expire_held(count: str) -> Question:
    return Question(
        title=f"Let {count} expire?",
        says="None of them is ever sent. This cannot be undone.",
        button=f"Expire {count}",
        back="/dashboard/do/held",
        fields={},
        is_final=True,
        is_empty=count.startswith("0 "),
    )


def _in(state: State, messages: tuple[Message, ...]) -> int:
    return sum(message.state is state for message in messages)


def _some(count: int, word: str = "message") -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
