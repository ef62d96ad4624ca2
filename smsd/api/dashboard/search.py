"""Reads what somebody looks for on the dashboard."""

import re
from collections.abc import Mapping
from typing import Final

import attrs

from smsd.api.queries import REPLAYABLE, read_query
from smsd.core.address import Msisdn
from smsd.core.errors import InvalidAddress
from smsd.core.query import Query

_ID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII | re.IGNORECASE)  # a ULID
#: How people set digits apart.
APART: Final = re.compile(r"[\s().-]")
#: Digits from which on they are taken for somebody's number, and not for a reference.
_SHORTEST: Final = 8
_FILTERS: Final = frozenset(
    {"state", "recipient", "reference", "batch", "held", "cursor", "api_key", "originator", "since", "until"}
)


@attrs.frozen(kw_only=True)
class Search:
    """What is looked for."""

    query: Query
    id: str  #: when it can only be the id of a message; else empty
    words: str  #: as they were given
    given: Mapping[str, str]  #: everything that was given but the place in the list
    replayable: Mapping[str, str]  #: what of it narrows down a replay


def read_search(given: Mapping[str, str]) -> Search:
    """Read the fields of the search: ``q`` is an id, a number, or else a reference. Raises InvalidBody."""
    filters = {name: value for name, value in given.items() if name in _FILTERS}
    words = given.get("q", "")
    id = words.upper() if _ID.fullmatch(words) else ""
    if words and not id:
        filters |= _meant(words)
    kept = {name: value for name, value in given.items() if name in {*_FILTERS, "q"} and name != "cursor"}
    replayable = {name: value for name, value in filters.items() if name in REPLAYABLE}
    return Search(query=read_query(filters), id=id, words=words, given=kept, replayable=replayable)


def _meant(words: str) -> dict[str, str]:
    digits = APART.sub("", words)
    if len(digits) < _SHORTEST:
        return {"reference": words}
    try:
        _ = Msisdn.parse(digits)
    except InvalidAddress:
        return {"reference": words}
    return {"recipient": digits}
