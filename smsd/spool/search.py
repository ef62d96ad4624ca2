"""Writes a question to the ledger as SQL."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.spool import record
from smsd.spool.dialect import Dialect, Part

#: Messages that may lie out of the order of their times.
SLACK: Final = 10_000
#: Messages that are looked through for a page, where no index knows all that narrows it down; some 15 ms.
SLICE: Final = 5_000

# Times rise with seq, but for a clock that is set back: an index of one message in so many finds about where to begin
# and to end. The condition is that of the index, word for word.
_FEW: Final = "SELECT seq FROM message WHERE seq % 1024 = 0"
_FROM: Final = f"""seq >= -{SLACK} + coalesce(({_FEW}
                   AND accepted_at < :since ORDER BY accepted_at DESC LIMIT 1), 0)"""
_TO: Final = f"""seq <= {SLACK} + coalesce(({_FEW}
                 AND accepted_at >= :until ORDER BY accepted_at LIMIT 1), {1 << 62})"""
_TIMES: Final = {"since": "accepted_at >= :since", "until": "accepted_at < :until"}
#: How each field of a query narrows it down, but for the recipient: that is the engine's, see Dialect.
_NARROWING: Final = {
    "originator": "originator = :originator",
    "reference": "reference = :reference AND reference <> ''",
    "batch": "batch = :batch AND batch <> ''",
    "is_held": "is_held = 1",
    "api_key": "api_key = :api_key",
    "since": f"{_TIMES['since']} AND {_FROM}",
    "until": f"{_TIMES['until']} AND {_TO}",
    "before": "seq < :before",
}
#: Where the places lie of what a query admits.
_RANGE: Final = {"since": _FROM, "until": _TO, "before": _NARROWING["before"], "floor": "seq >= :floor"}
#: By what is found in order through an index of its own, the fewest first. A key has its states in its index too.
_WAYS: Final = ("batch", "reference", "is_held", "recipient", "originator", "api_key", "state")

#: A statement and its values.
Statement = tuple[str, dict[str, Any]]


@attrs.frozen(kw_only=True)
class Way:
    """An index through which the places of what a query admits, and of more, are read newest first."""

    by: str  #: the field of the query
    state: State | None  #: that the index knows as well

    def floor_sql(self, query: Query, slice: int, dialect: Dialect) -> Statement:
        """The statement that reads the last place of the first ``slice``, if there are as many, and its values."""
        values = _values(query)
        parts = self._parts(dialect)
        newest = parts[0].newest if len(parts) == 1 else "seq DESC"
        sql = f"{_places(parts, values, dialect.newest)} ORDER BY {newest} LIMIT 1 OFFSET :skip"
        return sql, {**values, "slice": slice, "skip": slice - 1}

    def search_sql(self, query: Query, floor: int | None, dialect: Dialect) -> Statement:
        """The statement like the other one, but this way and down to the place ``floor`` only, and its values."""
        values = _values(query) | ({} if floor is None else {"floor": floor})
        rest = [_narrowing(name, dialect) for name in values if name not in {self.by, *_RANGE}]
        times = [_TIMES[name] for name in values if name in _TIMES]
        read = _read(dialect.source, [dialect.is_on_way, *rest, *times, *_is_in(query.state)])
        # No limit to the way: a message that comes in between would push out the one at the floor.
        way = _places(self._parts(dialect), values, "{}")
        sql = f"WITH way AS MATERIALIZED ({way}) {read} ORDER BY seq DESC LIMIT :limit"
        return sql, {**values, "limit": query.limit + 1}

    def _parts(self, dialect: Dialect) -> Sequence[Part]:
        if self.by == "recipient":
            return dialect.by_recipient
        if self.by == "state":
            return [Part(where=each) for each in _is_in(self.state)]
        narrowed = _NARROWING[self.by]
        if self.by != "api_key":
            return [Part(where=narrowed)]
        # Each state in the order of the index: the newest of all come without sorting.
        states = list(State) if self.state is None else [self.state]
        return [Part(where=f"{narrowed} AND {part}") for state in states for part in _is_in(state)]


def ways(query: Query, dialect: Dialect) -> list[Way]:
    """Those that lead to what ``query`` admits: the one that goes furthest back in a slice is the best.

    None if a single index knows all of it, and ``search_sql`` will do.
    """
    found = _found(query)
    is_parted = (found == ["recipient"] and not _is_direct(query, dialect)) or (
        found == ["api_key"] and query.state is None
    )
    return [Way(by=name, state=query.state) for name in found] if is_parted or len(found) > 1 else []


def slice_size(query: Query) -> int:
    """How many messages are looked through for a page of ``query``."""
    # One message may be found twice by its recipient.
    return 2 * (query.limit + 1) if len(_found(query)) == 1 and _is_of_any_time(query) else SLICE


def search_sql(query: Query, dialect: Dialect) -> Statement:
    """The statement that reads ``seq`` and the fields of what ``query`` admits, newest first, and its values."""
    values = _values(query)
    part, by = Part(where="1 = 1"), None
    if _found(query) == ["recipient"] and _is_direct(query, dialect):
        [part], by = dialect.by_recipient, "recipient"
    rest = [_narrowing(name, dialect) for name in values if name != by]
    read = _read(part.source, [part.where, *_ranges(part, values), *rest, *_is_in(query.state)])
    return f"{read} ORDER BY {part.newest} LIMIT :limit", {**values, "limit": query.limit + 1}


def _is_direct(query: Query, dialect: Dialect) -> bool:
    """Whether what is to a recipient is found in one part, and all of it is wanted."""
    return len(dialect.by_recipient) == 1 and _is_of_any_time(query)


def _is_of_any_time(query: Query) -> bool:
    return query.since is None and query.until is None


def _places(parts: Sequence[Part], values: Mapping[str, Any], wrapped: str) -> str:
    within = [_RANGE[name] for name in values if name in _RANGE]
    selects = [
        f"SELECT seq FROM {part.source} WHERE {' AND '.join([part.where, *within, *_ranges(part, values)])}"
        for part in parts
    ]
    return " UNION ALL ".join(wrapped.format(select) for select in selects)


def _ranges(part: Part, values: Mapping[str, Any]) -> list[str]:
    return [sql for name, sql in part.ranges.items() if name in values]


def _narrowing(name: str, dialect: Dialect) -> str:
    return dialect.has_recipient if name == "recipient" else _NARROWING[name]


def _found(query: Query) -> list[str]:
    given = _values(query).keys() | (set() if query.state is None else {"state"})
    is_of_key = {"api_key", "state"} <= given  # in one index
    return [name for name in _WAYS if name in given and not (is_of_key and name == "state")]


def _values(query: Query) -> dict[str, Any]:
    given = {
        "recipient": None if query.recipient is None else query.recipient.digits,
        "originator": query.originator,
        "reference": query.reference,
        "batch": query.batch,
        "is_held": int(query.is_held) or None,
        "api_key": query.api_key,
        "since": query.since,
        "until": query.until,
        "before": query.before,
    }
    return {name: value for name, value in given.items() if value is not None}


def _is_in(state: State | None) -> list[str]:
    # Written out: only so a partial index is seen to fit.
    return [] if state is None else [f"state = '{state.value}'"]


def _read(source: str, narrowed: list[str]) -> str:
    return f"SELECT seq, {', '.join(record.FIELDS)} FROM {source} WHERE {' AND '.join(narrowed)}"
