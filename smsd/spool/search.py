"""Writes a question to the ledger as SQL."""

from typing import Any, Final

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


def search_sql(query: Query) -> tuple[str, dict[str, Any]]:
    """The statement that reads ``seq`` and the fields of what ``query`` admits, newest first, and its values."""
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
    if query.state is not None:
        narrowed.append(f"state = '{query.state.value}'")  # written out: only so a partial index is seen to fit
    where = f"WHERE {' AND '.join(narrowed)}" if narrowed else ""
    sql = f"SELECT seq, {', '.join(record.FIELDS)} FROM message {where} ORDER BY seq DESC LIMIT :limit"
    return sql, {**values, "limit": query.limit + 1}
