"""Takes an operator's word on what is held since an outage."""

from collections.abc import Iterator
from typing import Any, Final

from smsd.api.problems import Answer, ok
from smsd.api.validation import InvalidBody, Problem
from smsd.core.moment import read_moment
from smsd.pipeline.operations import Operations

_FORM = "Must be an object with action (send or expire) and, for send, newer_than (an RFC 3339 time with an offset)"
_TIME = "Must be an RFC 3339 time with an offset, not in the future and at most a year past"
#: Seconds that ``newer_than`` may lie in the past: a year, as far as ``send_at`` may lie ahead.
PAST_S: Final = 366 * 86400.0


class Held:
    """``POST /held``: send all, expire all, or send only what is newer than a time and expire the rest."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def take(self, body: object) -> Answer:
        """Do what ``body`` says. Raises InvalidBody and SpoolUnavailable."""
        given: dict[str, Any] = body if isinstance(body, dict) else {"": body}
        problems = list(_problems(given, self._operations.now()))
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


def _problems(given: dict[str, Any], now: float) -> Iterator[Problem]:
    if given.get("action") not in ("send", "expire"):
        yield Problem(pointer="/action", message=f"The body is invalid: {_FORM!r}")
    for name in given.keys() - {"action", "newer_than"}:
        yield Problem(pointer=f"/{name}", message=f"The body is invalid: {_FORM!r}")
    if "newer_than" not in given:
        return
    if given.get("action") == "expire":
        yield Problem(pointer="/newer_than", message=f"The body is invalid: {_FORM!r}")
    elif not _is_past(value := given["newer_than"], now):
        # What is not newer expires: a time in the future, or a year mistyped, would let go of all or of none.
        yield Problem(pointer="/newer_than", message=f"'newer_than' field '{value}' is invalid: {_TIME!r}")


def _is_past(value: object, now: float) -> bool:
    try:
        return isinstance(value, str) and now - PAST_S <= read_moment(value) <= now
    except (ValueError, OverflowError):
        return False
