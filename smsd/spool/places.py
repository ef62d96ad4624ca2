"""Counts how many in a line are before one of them, from the end that is nearer."""

from collections.abc import Sequence
from typing import Any, Final

from smsd.spool.dialect import Connection

#: What is in the line of a priority and an API key.
IN_LINE: Final = "ready = 1 AND state = 'queued' AND priority = ? AND api_key = ?"
#: Messages that are counted from the front without a look at the end; a fifth of a millisecond.
NEAR: Final = 4096

_FIRST: Final = f"SELECT seq FROM message WHERE {IN_LINE} ORDER BY seq LIMIT 1"
_LAST: Final = f"SELECT seq FROM message WHERE {IN_LINE} ORDER BY seq DESC LIMIT 1"
_NEAR: Final = f"SELECT count(*) FROM (SELECT 1 FROM message WHERE {IN_LINE} AND seq < ? LIMIT {NEAR}) AS those"
_BEFORE: Final = f"SELECT count(*) FROM message WHERE {IN_LINE} AND seq < ?"
_BEHIND: Final = f"SELECT count(*) FROM message WHERE {IN_LINE} AND seq > ?"


def before(connection: Connection, line: Sequence[Any], seq: int, total: int) -> int:
    """How many of ``line`` (priority, API key), ``total`` in all, are before the one at ``seq``, which is in it.

    Exact within NEAR of the front; further back by as many as came or went since ``total`` was known.
    """

    def one(sql: str, *values: Any) -> int:
        row = connection.execute(sql, (*line, *values)).fetchone()
        return seq if row is None else int(row[0])

    if (near := one(_NEAR, seq)) < NEAR:
        return near
    if seq - one(_FIRST) > one(_LAST) - seq:
        return max(NEAR, total - 1 - one(_BEHIND, seq))
    return one(_BEFORE, seq)
