"""Counts how many go before a message, without counting a long line from its front."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from smsd.core.message import Priority
from smsd.core.turns import TOGETHER_S, Line
from smsd.spool.dialect import Connection
from smsd.spool.tally import STRETCH_BITS

#: What is in the line of a priority and an API key.
IN_LINE: Final = "ready = 1 AND state = 'queued' AND priority = ? AND api_key = ?"
#: Messages that are counted from the front without a look at the end; a fifth of a millisecond.
NEAR: Final = 4096
#: Messages of a priority that are counted as scheduled together; some 4 ms.
CROWD: Final = 2000

_FIRST: Final = f"SELECT seq FROM message WHERE {IN_LINE} ORDER BY seq LIMIT 1"
_LAST: Final = f"SELECT seq FROM message WHERE {IN_LINE} ORDER BY seq DESC LIMIT 1"
_NEAR: Final = f"SELECT count(*) FROM (SELECT 1 FROM message WHERE {IN_LINE} AND seq < ? LIMIT {NEAR}) AS those"
_BEFORE: Final = f"SELECT count(*) FROM message WHERE {IN_LINE} AND seq < ?"
#: How many of a line have a place from one up to another.
WITHIN: Final = f"SELECT count(*) FROM message WHERE {IN_LINE} AND seq >= ? AND seq < ?"
_BEHIND: Final = f"SELECT count(*) FROM message WHERE {IN_LINE} AND seq > ?"

_CROWD: Final = """
    SELECT api_key, count(*), count(*) FILTER (WHERE seq < ?) FROM (
        SELECT api_key, seq FROM message
        WHERE ready = 0 AND priority = ? AND not_before > ? AND not_before <= ? AND state = 'queued' LIMIT ?) AS those
    GROUP BY api_key"""


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


def before_in(connection: Connection, line: Sequence[Any], seq: int, stretches: Mapping[int, int]) -> int:
    """The same, exact at any length: how many are in which stretch of places is known, but for the one of ``seq``."""
    own = seq >> STRETCH_BITS
    row = connection.execute(WITHIN, (*line, own << STRETCH_BITS, seq)).fetchone()
    return int(row[0]) + sum([count for stretch, count in stretches.items() if stretch < own])


def crowd(connection: Connection, at: float, seq: int | None = None) -> tuple[Counter[Line], Counter[Line]]:
    """How many of each line have their time within TOGETHER_S up to ``at``; and how many of these are before ``seq``.

    Of a priority at most CROWD are looked at.
    """
    all_of_them: Counter[Line] = Counter()
    earlier: Counter[Line] = Counter()
    for priority in Priority:
        values = (seq or 0, int(priority), at - TOGETHER_S, at, CROWD)
        for api_key, count, before in connection.execute(_CROWD, values).fetchall():
            all_of_them[priority, api_key], earlier[priority, api_key] = count, before
    return all_of_them, earlier
