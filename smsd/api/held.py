"""Takes an operator's word on what is held since an outage."""

from collections.abc import Iterator
from typing import Any

from smsd.api.problems import Answer, ok
from smsd.api.validation import InvalidBody, Problem
from smsd.core.moment import read_moment
from smsd.pipeline.operations import Operations

_FORM = "Must be an object with action (send or expire) and, for send, newer_than (an RFC 3339 time with an offset)"


class Held:
    """``POST /held``: send all, expire all, or send only what is newer than a time and expire the rest."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def take(self, body: object) -> Answer:
        """Do what ``body`` says. Raises InvalidBody and SpoolUnavailable."""
        given: dict[str, Any] = body if isinstance(body, dict) else {"": body}
        problems = list(_problems(given))
        if problems:
            raise InvalidBody(*problems)
        if given["action"] == "expire":
            return _done(sent=0, expired=await self._operations.expire_held())
        if "newer_than" not in given:
            return _done(sent=await self._operations.send_held(0.0), expired=0)
        sent = await self._operations.send_held(read_moment(given["newer_than"]))
        return _done(sent=sent, expired=await self._operations.expire_held())


def _done(*, sent: int, expired: int) -> Answer:
    return Answer(code=200, body=ok("The held messages are let go", sent=sent, expired=expired))


def _problems(given: dict[str, Any]) -> Iterator[Problem]:
    if given.get("action") not in ("send", "expire"):
        yield Problem(pointer="/action", message=f"The body is invalid: {_FORM!r}")
    for name in given.keys() - {"action", "newer_than"}:
        yield Problem(pointer=f"/{name}", message=f"The body is invalid: {_FORM!r}")
    if "newer_than" in given and (given.get("action") != "send" or not _is_moment(given["newer_than"])):
        yield Problem(pointer="/newer_than", message=f"The body is invalid: {_FORM!r}")


def _is_moment(value: object) -> bool:
    try:
        read_moment(str(value))
    except (ValueError, OverflowError):
        return False
    return True
