"""Asks the daemon, from an accept process, to keep what was accepted."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred

from smsd.api.problems import Answer, Answered
from smsd.core.claim import Claim
from smsd.core.message import Message
from smsd.core.outlook import Outlook
from smsd.core.turns import Place
from smsd.spool import record
from smsd.workers.link import Call

_SEEN: Final = [field.name for field in attrs.fields(Outlook)]


class Caller:
    """The calls that are under way to the daemon."""

    def __init__(self, send: Callable[[Call], None]) -> None:
        self._send = send
        self._numbers = count()
        self._waiting: dict[int, Deferred[Any]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether every call has its answer."""
        return not self._waiting

    def admit(self, messages: Sequence[Message], claim: Claim | None, now: float) -> Deferred[Place]:
        """See Admission.admit; raises Answered whatever it raises there. There is never a claim here."""
        rows = record.rows_of(messages)
        api_key, _ = record.origin(rows[0])
        return self._ask("keep", api_key, rows)

    def post(self, headers: Mapping[bytes, bytes], body: bytes, host: str) -> Deferred[Answer]:
        """The daemon's own answer to a ``POST /sms`` that came from the address ``host``."""
        return self._ask("post", dict(headers), body, host)

    def take(self, call: Call) -> None:
        """Take an answer."""
        match call:
            case "kept", seen, kept:
                outlook = _outlook(*seen)
                for number, first, last, then in kept:
                    self._waiting.pop(number).callback(Place(first=first, last=last, then=then, outlook=outlook))
            case "refused", number, *answer:
                self._waiting.pop(number).errback(Answered(_answer(*answer)))
            case "answer", number, *answer:
                self._waiting.pop(number).callback(_answer(*answer))
            case _:
                raise ValueError(call[0])

    def _ask(self, word: str, *given: Any) -> Deferred[Any]:
        number = next(self._numbers)
        answered = self._waiting[number] = Deferred()
        self._send((word, number, *given))
        return answered


def _outlook(*values: Any) -> Outlook:
    return Outlook(**dict(zip(_SEEN, values, strict=True)))


def _answer(code: int, body: dict[str, Any], headers: dict[str, str]) -> Answer:
    return Answer(code=code, body=body, headers=headers)
