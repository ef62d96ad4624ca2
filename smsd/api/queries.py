"""Reads what is asked of the ledger, from a query string or a body."""

import base64
import binascii
import re
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from smsd.api.validation import InvalidBody, Problem, echo
from smsd.core.address import Msisdn
from smsd.core.errors import InvalidAddress
from smsd.core.lifecycle import State
from smsd.core.moment import read_moment
from smsd.core.query import MAX_PAGE, Query

#: A place in the ledger: 18 digits fit 64 bits.
_PLACE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
#: What narrows down which dead messages are queued again.
REPLAYABLE: Final = frozenset({"recipient", "originator", "reference", "batch", "api_key", "since", "until"})


def read_query(given: Mapping[str, Any], only: Container[str] | None = None) -> Query:
    """The query that ``given`` names and values ask for. Raises InvalidBody with every problem at once.

    ``only`` these names may be used, if it is given.
    """
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    known = [name for name in _READERS if only is None or name in only]
    for name, value in given.items():
        if name not in known:
            problems.append(_problem(name, value, f"Is not a known filter: there are {', '.join(known)}"))
            continue
        field, read, rule = _READERS[name]
        try:
            fields[field] = read(value)
        except (InvalidAddress, ValueError, TypeError, OverflowError):
            problems.append(_problem(name, value, rule))
    if problems:
        raise InvalidBody(*problems)
    return Query(**fields)


def filters(*names: str) -> dict[str, str]:
    """By name, the rule of each filter in words: of those called ``names``, or of all."""
    return {name: rule for name, (_, _, rule) in _READERS.items() if not names or name in names}


def cursor(before: int | None) -> str | None:
    """The opaque text that leads to the next page, None when there is none."""
    return None if before is None else base64.urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def _problem(name: str, value: Any, rule: str) -> Problem:
    return Problem(pointer=f"/{name}", message=f"'{echo(name)}' filter '{echo(value)}' is invalid: '{rule}'")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _moment(value: Any) -> float:
    return read_moment(_text(value))


def _place(value: Any) -> int:
    try:
        padded = _text(value) + "=" * (-len(value) % 4)
        place = base64.b64decode(padded, altchars="-_", validate=True).decode("ascii")
    except binascii.Error:
        raise ValueError from None
    if not _PLACE.fullmatch(place):
        raise ValueError
    return int(place)


def _yes(value: Any) -> bool:
    if value not in ("yes", True):
        raise ValueError
    return True


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not _DIGITS.fullmatch(str(value)) or not 1 <= int(value) <= MAX_PAGE:
        raise ValueError
    return int(value)


#: By its name outside: the field of Query, how it is read, and the rule in words.
_READERS: Final[Mapping[str, tuple[str, Callable[[Any], Any], str]]] = {
    "state": ("state", State, f"Must be one of {', '.join(state.value for state in State)}"),
    "recipient": ("recipient", Msisdn.parse, "Must be a valid MSISDN"),
    "originator": ("originator", _text, "Must be a text"),
    "reference": ("reference", _text, "Must be a text"),
    "batch": ("batch", _text, "Must be the id of a broadcast"),
    "api_key": ("api_key", _text, "Must be the name of an API key"),
    "held": ("is_held", _yes, "Must be yes"),
    "since": ("since", _moment, "Must be an RFC 3339 time with an offset"),
    "until": ("until", _moment, "Must be an RFC 3339 time with an offset"),
    "cursor": ("before", _place, "Must be the cursor of an earlier page"),
    "limit": ("limit", _limit, f"Must be a whole number from 1 to {MAX_PAGE}"),
}
