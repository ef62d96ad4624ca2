"""Writes a question to the ledger as SQL."""

from typing import Any, Final

from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.spool import record

#: Messages that may lie out of the order of their times.
SLACK: Final = 10_000

#: How each field of a query narrows it down.
_NARROWING: Final = {
    # A message to one has its recipient in an index; one to many has them in a table of their own.
    "recipient": """seq IN (SELECT seq FROM message WHERE recipients ->> 0 = :recipient
                            UNION SELECT seq FROM recipient WHERE msisdn = :recipient)""",
    "originator": "originator = :originator",
    "reference": "reference = :reference AND reference <> ''",
    "batch": "batch = :batch AND batch <> ''",
    "is_held": "is_held = :is_held AND is_held = 1",
    "api_key": "api_key = :api_key",
    # Times rise with seq, but for a clock that is set back: the index finds about where to begin and to end.
    "since": f"""accepted_at >= :since AND seq >= -{SLACK} + coalesce((SELECT seq FROM message
                 WHERE accepted_at >= :since ORDER BY accepted_at LIMIT 1), 0)""",
    "until": f"""accepted_at < :until AND seq <= {SLACK} + coalesce((SELECT seq FROM message
                 WHERE accepted_at < :until ORDER BY accepted_at DESC LIMIT 1), 0)""",
    "before": "seq < :before",
}


#: A message of a key has its key and its state in one index. These narrow a query down further than any key does.
_NARROWER: Final = frozenset({"recipient", "originator", "reference", "batch", "is_held"})


def search_sql(query: Query, by_state: str = "") -> tuple[str, dict[str, Any]]:
    """The statement that reads ``seq`` and the fields of what ``query`` admits, newest first, and its values.

    ``by_state``, in the words of a database, has it read the index of the states rather than that of the originators.
    """
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
    values = {name: value for name, value in given.items() if value is not None}
    narrowed = [_NARROWING[name] for name in values]
    states: list[State | None] = [query.state]
    if query.state is None and query.api_key is not None and not values.keys() & _NARROWER:
        states = list(State)  # each in the order of the index: the newest of all come without sorting
    is_by_state = values.keys() <= {"originator", "since", "until", "before"} and query.state is not None
    source = f"message {by_state}" if is_by_state else "message"
    reads = [_read(source, [*narrowed, *_is_in(state)]) for state in states]
    return f"{' UNION ALL '.join(reads)} ORDER BY seq DESC LIMIT :limit", {**values, "limit": query.limit + 1}


def _is_in(state: State | None) -> list[str]:
    # Written out: only so a partial index is seen to fit.
    return [] if state is None else [f"state = '{state.value}'"]


def _read(source: str, narrowed: list[str]) -> str:
    where = f" WHERE {' AND '.join(narrowed)}" if narrowed else ""
    return f"SELECT seq, {', '.join(record.FIELDS)} FROM {source}{where}"
