"""Reads and writes messages in the table ``message``."""

import sqlite3
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import Any, Final

from smsd.core.claim import Claim, Claimed
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.core.query import Page, Query
from smsd.spool import record, schema

#: Rows in a statement. One for many rows gives the GIL away once, not row by row; few sizes keep it prepared.
SIZES: Final = (256, 32, 4, 1)
#: Messages of a priority that one lease moves into the line at most; about 5 ms of the writer's time.
WAKE: Final = 500
#: Messages that may lie out of the order of their times.
SLACK: Final = 10_000

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
_IN_LINE: Final = f"{_SELECT} WHERE ready = 1 AND state = ? ORDER BY priority, seq"
_WAKE: Final = """
    UPDATE message SET ready = 1 WHERE seq IN (
        SELECT seq FROM message WHERE ready = 0 AND priority = ? AND not_before <= ? ORDER BY not_before LIMIT ?
    ) RETURNING state"""
_TO_MANY: Final = """
    INSERT INTO recipient SELECT each.value, message.seq FROM message, json_each(message.recipients) AS each
    WHERE message.id IN ({ids})"""
_UNCLAIM: Final = """
    DELETE FROM claim WHERE rowid IN (SELECT rowid FROM claim WHERE until <= ? ORDER BY until LIMIT 20)
    OR (api_key = ? AND key = ?)"""
_ID: Final = record.FIELDS.index("id")
_RECIPIENTS: Final = record.FIELDS.index("recipients")

#: How each field of a query narrows it down.
_NARROWING: Final = {
    "state": "state = :state",
    # A message to one has its recipient in an index; one to many has them in a table of their own.
    "recipient": """seq IN (SELECT seq FROM message WHERE recipients ->> 0 = :recipient
                            UNION SELECT seq FROM recipient WHERE msisdn = :recipient)""",
    "originator": "originator = :originator",
    "reference": "reference = :reference AND reference <> ''",
    "batch": "batch = :batch AND batch <> ''",
    "api_key": "api_key = :api_key",
    # Times rise with seq, but for a clock that is set back: the index finds about where to begin and to end.
    "since": f"""accepted_at >= :since AND seq >= -{SLACK} + ifnull((SELECT seq FROM message
                 WHERE accepted_at >= :since ORDER BY accepted_at LIMIT 1), 0)""",
    "until": f"""accepted_at < :until AND seq <= {SLACK} + ifnull((SELECT seq FROM message
                 WHERE accepted_at < :until ORDER BY accepted_at DESC LIMIT 1), 0)""",
    "before": "seq < :before",
}

#: An id, the state it is to be in, and the values of LIFE and ``ready`` that it gets.
Change = tuple[Any, ...]


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

    def update(self, changes: Sequence[Change]) -> set[str]:
        """Make ``changes``, each of another id; the answer is the ids that were in the state they had to be in."""
        moved: set[str] = set()
        for sql, values in _statements(_UPDATE, changes):
            moved.update(id for (id,) in self._connection.execute(sql, values).fetchall())
        return moved

    def wake(self, now: float) -> dict[Priority, int]:
        """Move what has become due at ``now`` (UTC epoch seconds) into the line, up to WAKE of each priority.

        The answer is how many of each priority came into the line of the queued.
        """
        woken = dict.fromkeys(Priority, 0)
        for priority in Priority:
            states = self._connection.execute(_WAKE, (priority, now, WAKE)).fetchall()
            woken[priority] = sum(state == State.QUEUED.value for (state,) in states)
        return woken

    def in_line(self, state: State, limit: int, *, without: Container[str]) -> list[Message]:
        """The first ``limit`` messages in ``state`` whose time has come, passing over ids ``without``."""
        rows = self._connection.execute(_IN_LINE, (state.value,))
        return [record.from_row(row) for row in islice((r for r in rows if r[_ID] not in without), limit)]

    def find(self, id: str) -> Message | None:
        """The message ``id``, if there is one."""
        row = self._connection.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        return None if row is None else record.from_row(row)

    def search(self, query: Query) -> Page:
        """A page of the messages that ``query`` admits, newest first."""
        sql, values = _search(query)
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

    def count_in_line(self) -> dict[Priority, int]:
        """How many messages of each priority are queued and their time has come."""
        sql = "SELECT priority, count(*) FROM message WHERE ready = 1 AND state = 'queued' GROUP BY priority"
        counted = dict(self._connection.execute(sql))
        return {priority: counted.get(int(priority), 0) for priority in Priority}

    def count(self) -> dict[State, int]:
        """How many messages are in each state: reads the whole table, about a second a million."""
        counted = dict(self._connection.execute("SELECT state, count(*) FROM message GROUP BY state"))
        return {state: counted.get(state.value, 0) for state in State}


def _search(query: Query) -> tuple[str, dict[str, Any]]:
    given = {
        "state": None if query.state is None else query.state.value,
        "recipient": None if query.recipient is None else query.recipient.digits,
        "originator": query.originator,
        "reference": query.reference,
        "batch": query.batch,
        "api_key": query.api_key,
        "since": query.since,
        "until": query.until,
        "before": query.before,
    }
    values = {name: value for name, value in given.items() if value is not None}
    where = f"WHERE {' AND '.join(_NARROWING[name] for name in values)}" if values else ""
    sql = f"SELECT seq, {', '.join(record.FIELDS)} FROM message {where} ORDER BY seq DESC LIMIT :limit"
    return sql, {**values, "limit": query.limit + 1}


def _statements(template: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, list[Any]]]:
    done = 0
    for size in SIZES:
        while len(rows) - done >= size:
            part = rows[done : done + size]
            one = f"({', '.join('?' * len(part[0]))})"
            yield template.format(rows=", ".join([one] * size)), list(chain.from_iterable(part))
            done += size
