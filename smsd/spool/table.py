"""Reads and writes messages in the table ``message``."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import Any, Final

from smsd.core.claim import Claim, Claimed
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.core.query import Page, Query
from smsd.core.quota import Quota, Usage
from smsd.spool import record, schema
from smsd.spool.jobs import Change
from smsd.spool.search import search_sql
from smsd.spool.tally import Tally

#: Rows in a statement. One for many rows gives the GIL away once, not row by row; few sizes keep it prepared.
SIZES: Final = (256, 32, 4, 1)
#: Messages of a priority that one lease moves into the line at most; about 5 ms of the writer's time.
WAKE: Final = 500


# VALUES and not json_each(?): measured 4 times as fast, exact to the last bit of a time, and SQLite's json
# functions end a text at U+0000.
_COLUMNS: Final = (*record.FIELDS, "ready")
_INSERT: Final = f"INSERT INTO message ({', '.join(_COLUMNS)}) VALUES {{rows}}"
_CHANGING: Final = (*record.LIFE, "ready")
_UPDATE: Final = f"""
    WITH given (id, was, {", ".join(_CHANGING)}) AS (VALUES {{rows}})
    UPDATE message SET {", ".join(f"{each} = given.{each}" for each in _CHANGING)}
    FROM given WHERE message.id = given.id AND message.state = given.was
    RETURNING message.id"""
_SELECT: Final = f"SELECT {', '.join(record.FIELDS)} FROM message"
_IN_LINE: Final = "ready = 1 AND state = 'queued' AND priority = ? AND api_key = ?"
_LINE: Final = f"{_SELECT} WHERE {_IN_LINE} ORDER BY seq"
_IN_DOUBT: Final = f"{_SELECT} WHERE ready = 1 AND state = 'uncertain' ORDER BY priority, seq"
_TO_ATTEND: Final = f"{_SELECT} WHERE state = ? AND attend_at <= ? ORDER BY attend_at"
_WAKE: Final = """
    UPDATE message SET ready = 1 WHERE seq IN (
        SELECT seq FROM message WHERE ready = 0 AND priority = ? AND not_before <= ? ORDER BY not_before LIMIT ?
    ) RETURNING state, api_key"""
#: Since when a message is in line: it was due already as it came into its state, or became due later.
_HOLD: Final = """
    UPDATE message SET is_held = 1, ready = NULL WHERE seq IN (
        SELECT seq FROM message WHERE ready = 1 AND state = 'queued' AND max(changed_at, not_before) < ? LIMIT ?
    ) RETURNING priority, api_key"""
_UNHOLD: Final = """
    UPDATE message SET is_held = 0, ready = 1 WHERE seq IN (
        SELECT seq FROM message WHERE is_held = 1 AND accepted_at >= ? ORDER BY seq LIMIT ?
    ) RETURNING priority, api_key"""
_TO_MANY: Final = """
    INSERT INTO recipient SELECT each.value, message.seq FROM message, json_each(message.recipients) AS each
    WHERE message.id IN ({ids})"""
_UNCLAIM: Final = """
    DELETE FROM claim WHERE rowid IN (SELECT rowid FROM claim WHERE until <= ? ORDER BY until LIMIT 20)
    OR (api_key = ? AND key = ?)"""
#: The states that the index message_keep has as well.
_FORGET: Final = """
    UPDATE message SET body = '', recipients = '[]', deliveries = '[]', history = '[]', error = '',
        reference = '', callback_url = '', attend_at = NULL
    WHERE seq IN (
        SELECT seq FROM message WHERE state IN ('sent', 'delivered', 'undelivered', 'expired', 'canceled')
        AND body <> '' AND changed_at < ? ORDER BY changed_at LIMIT ?
    ) RETURNING seq"""
_ID: Final = record.FIELDS.index("id")
_RECIPIENTS: Final = record.FIELDS.index("recipients")


def change(was: Message, after: Message) -> Change:
    """What turns ``was``, as long as it is in that state, into ``after``."""
    return (was.id, was.state.value, *record.life(after))


class Table:
    """The messages behind one connection; every method raises sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, check_place: Callable[[], None]) -> None:
        """``check_place`` raises sqlite3.OperationalError once the file is not where it was."""
        self._connection = connection
        self._check_place = check_place

    def transaction(self) -> AbstractContextManager[None]:
        """What is done within is done wholly or not at all."""
        self._check_place()
        return schema.transaction(self._connection)

    def insert(self, rows: Sequence[record.Row]) -> None:
        """Add ``rows``, in their order."""
        for sql, values in _statements(_INSERT, rows):
            self._connection.execute(sql, values)
        to_many = [row[_ID] for row in rows if "," in row[_RECIPIENTS]]
        for start in range(0, len(to_many), SIZES[0]):
            ids = to_many[start : start + SIZES[0]]
            self._connection.execute(_TO_MANY.format(ids=", ".join("?" * len(ids))), ids)

    def claimed(self, api_key: str, key: str, now: float) -> Claimed | None:
        """What the idempotency key stands for at ``now`` (UTC epoch seconds), if anything."""
        sql = "SELECT fingerprint, answer FROM claim WHERE api_key = ? AND key = ? AND until > ?"
        row = self._connection.execute(sql, (api_key, key, now)).fetchone()
        return None if row is None else Claimed(fingerprint=row[0], answer=row[1])

    def claim(self, claim: Claim, claimed: Claimed) -> None:
        """Keep what ``claim`` stands for now, and drop a few that have run out."""
        values = (claim.api_key, claim.key, claimed.fingerprint, claimed.answer, claim.until)
        self._connection.execute(_UNCLAIM, (claim.at, claim.api_key, claim.key))
        self._connection.execute("INSERT INTO claim VALUES (?, ?, ?, ?, ?)", values)

    def used(self, api_key: str, quotas: Sequence[Quota], now: float) -> dict[str, int]:
        """What the API key named ``api_key`` has used in the current window of each of ``quotas``, by its name."""
        rows = self._connection.execute("SELECT quota, start, used FROM usage WHERE api_key = ?", (api_key,))
        known = {name: (start, used) for name, start, used in rows}
        starts = {quota.name: quota.start(now) for quota in quotas}
        return {name: known[name][1] for name, start in starts.items() if known.get(name, (None, 0))[0] == start}

    def charge(self, api_key: str, usages: Sequence[Usage], now: float) -> None:
        """Keep ``usages`` as those of the API key named ``api_key``."""
        for usage in usages:
            row = (api_key, usage.quota.name, usage.quota.start(now), usage.used)
            self._connection.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", row)

    def update(self, changes: Sequence[Change]) -> set[str]:
        """Make ``changes``, each of another id; the answer is the ids that were in the state they had to be in."""
        moved: set[str] = set()
        for sql, values in _statements(_UPDATE, changes):
            moved.update(id for (id,) in self._connection.execute(sql, values).fetchall())
        return moved

    def wake(self, now: float) -> Counter[tuple[Priority, str]]:
        """Move what has become due at ``now`` (UTC epoch seconds) into the line, up to WAKE of each priority.

        The answer is how many came into the line of the queued.
        """
        woken: Counter[tuple[Priority, str]] = Counter()
        for priority in Priority:
            rows = self._connection.execute(_WAKE, (priority, now, WAKE)).fetchall()
            woken.update((priority, api_key) for state, api_key in rows if state == State.QUEUED.value)
        return woken

    def line(self, priority: Priority, api_key: str, *, without: Container[str]) -> Iterator[Message]:
        """The messages in line of ``priority`` and ``api_key``, oldest first, passing over ids ``without``."""
        return self._each(_LINE, (priority, api_key), without)

    def in_doubt(self, limit: int, *, without: Container[str]) -> list[Message]:
        """The first ``limit`` uncertain messages whose time has come."""
        return list(islice(self._each(_IN_DOUBT, (), without), limit))

    def to_attend(self, state: State, now: float, limit: int, *, without: Container[str]) -> list[Message]:
        """The first ``limit`` messages in ``state`` whose ``attend_at`` has come at ``now`` (UTC epoch seconds)."""
        return list(islice(self._each(_TO_ATTEND, (state.value, now), without), limit))

    def _each(self, sql: str, values: Sequence[Any], without: Container[str]) -> Iterator[Message]:
        rows = self._connection.execute(sql, values)
        return (record.from_row(row) for row in rows if row[_ID] not in without)

    def hold(self, before: float, limit: int) -> Counter[tuple[Priority, str]]:
        """Hold up to ``limit`` messages in line since before ``before``; the answer is which lines have fewer now."""
        held = Counter(self._lines(_HOLD, before, limit))
        return Counter({line: -count for line, count in held.items()})

    def unhold(self, since: float, limit: int) -> Counter[tuple[Priority, str]]:
        """Let up to ``limit`` held messages accepted since ``since`` into line; the answer is which have more now."""
        return Counter(self._lines(_UNHOLD, since, limit))

    def _lines(self, sql: str, at: float, limit: int) -> list[tuple[Priority, str]]:
        rows = self._connection.execute(sql, (at, limit)).fetchall()
        return [(Priority(priority), api_key) for priority, api_key in rows]

    def oldest(self, lines: Iterable[tuple[Priority, str]]) -> float | None:
        """Since when (UTC epoch seconds) the first of all in ``lines`` is in line; None when none is."""
        sql = f"SELECT max(changed_at, not_before) FROM message WHERE {_IN_LINE} ORDER BY seq LIMIT 1"
        firsts = [self._connection.execute(sql, (int(priority), key)).fetchone() for priority, key in lines]
        return min((row[0] for row in firsts if row is not None), default=None)

    def before(self, message: Message) -> int | None:
        """How many in the line of ``message`` are before it; None if it is not in line."""
        sql = f"SELECT seq FROM message WHERE id = ? AND {_IN_LINE}"
        line = (int(message.priority), message.api_key)
        row = self._connection.execute(sql, (message.id, *line)).fetchone()
        if row is None:
            return None
        counted = self._connection.execute(f"SELECT count(*) FROM message WHERE {_IN_LINE} AND seq < ?", (*line, *row))
        return int(counted.fetchone()[0])

    def forget(self, before: float, limit: int) -> int:
        """Remove text and numbers of up to ``limit`` messages that ended before ``before``; the answer is how many."""
        forgotten = self._connection.execute(_FORGET, (before, limit)).fetchall()
        for (seq,) in forgotten:
            self._connection.execute("DELETE FROM recipient WHERE seq = ?", (seq,))
        return len(forgotten)

    def beat(self, now: float) -> float | None:
        """Write down that messages could be sent at ``now``; the answer is when they last could, None if never."""
        row = self._connection.execute("SELECT at FROM beat").fetchone()
        self._connection.execute("INSERT OR REPLACE INTO beat VALUES (1, ?)", (now,))
        return None if row is None else float(row[0])

    def find(self, id: str) -> Message | None:
        """The message ``id``, if there is one."""
        row = self._connection.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        return None if row is None else record.from_row(row)

    def search(self, query: Query) -> Page:
        """A page of the messages that ``query`` admits, newest first."""
        sql, values = search_sql(query)
        rows = self._connection.execute(sql, values).fetchall()
        found = rows[: query.limit]
        return Page(
            messages=tuple(record.from_row(row[1:]) for row in found),
            before=found[-1][0] if len(rows) > query.limit else None,
        )

    def sending(self) -> list[Message]:
        """Every message that is being sent."""
        return [record.from_row(row) for row in self._connection.execute(f"{_SELECT} WHERE state = 'sending'")]

    def is_in_line(self, id: str) -> bool:
        """Whether the message ``id`` is queued and its time has come."""
        sql = "SELECT 1 FROM message WHERE id = ? AND ready = 1 AND state = 'queued'"
        return self._connection.execute(sql, (id,)).fetchone() is not None

    def count(self) -> Tally:
        """Every message counted: reads the whole table, about a second a million."""
        depth = self._connection.execute("SELECT state, priority, count(*) FROM message GROUP BY 1, 2")
        in_line = self._connection.execute(
            "SELECT priority, api_key, count(*) FROM message WHERE ready = 1 AND state = 'queued' GROUP BY 1, 2"
        )
        recipients = self._connection.execute(
            "SELECT ifnull(sum(json_array_length(recipients)), 0) FROM message WHERE state = 'queued'"
        )
        return Tally(
            depth={(State(state), Priority(priority)): count for state, priority, count in depth},
            in_line={(Priority(priority), api_key): count for priority, api_key, count in in_line},
            recipients=recipients.fetchone()[0],
        )


def _statements(template: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, list[Any]]]:
    done = 0
    for size in SIZES:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            one = f"({', '.join('?' * len(part[0]))})"
            yield template.format(rows=", ".join([one] * size)), list(chain.from_iterable(part))
            done += size
