"""Reads and writes messages in an SQLite table, many rows in a statement."""

import sqlite3
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final

from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.spool import record, schema
from smsd.spool.dialect import Dialect, Part
from smsd.spool.jobs import Change
from smsd.spool.places import IN_LINE, WITHIN
from smsd.spool.table import ID, SELECT, Table
from smsd.spool.tally import STRETCH_BITS, Tally

#: Rows in a statement; up to the last of these in one. One for many rows gives the GIL away once, not row by row; few
#: sizes keep it prepared. Beside busy threads each statement waits some milliseconds until it has the GIL again; arrays
#: are often of 1,000, and a group of single ones is seldom of more than 64.
SIZES: Final = (1000, 256, 128, 64)

#: Places in a block of the table ``numbers``, as a power of two.
BLOCK_BITS: Final = 8
_RECIPIENTS: Final = record.FIELDS.index("recipients")

# VALUES and not json_each(?): measured 4 times as fast, exact to the last bit of a time, and SQLite's json
# functions end a text at U+0000.
_COLUMNS: Final = (*record.FIELDS, "ready")
_INSERT: Final = f"INSERT INTO message ({', '.join(_COLUMNS)}) SELECT {{columns}} FROM (VALUES {{rows}}) AS given"
_CHANGING: Final = (*record.LIFE, "ready")
_UPDATE: Final = f"""
    WITH given (id, was, {", ".join(_CHANGING)}) AS (VALUES {{rows}})
    UPDATE message SET {", ".join(f"{each} = given.{each}" for each in _CHANGING)}
    FROM given WHERE message.id = given.id AND message.state = given.was {{unless}}
    RETURNING message.id, message.seq"""
_AMEND: Final = _UPDATE.replace("{unless}", "")
#: Who has leased it cannot know that it was held since.
_STORE: Final = _UPDATE.replace("{unless}", "AND message.is_held = 0")
_NUMBERS: Final = "INSERT INTO numbers VALUES {rows} ON CONFLICT (block) DO UPDATE SET ends = ends || excluded.ends"
#: What stands in ``numbers`` for a number; in Python ``_end``.
_END: Final = "',' || substr('000000' || {}, -6)"
_IN_BLOCK: Final = f"seq BETWEEN {{0}} << {BLOCK_BITS} AND ({{0}} << {BLOCK_BITS}) + {(1 << BLOCK_BITS) - 1}"
_BLOCK: Final = f"""
    INSERT INTO numbers SELECT :block, group_concat({_END.format("each.value")}, '') AS ends
    FROM message, json_each(message.recipients) AS each
    WHERE {_IN_BLOCK.format(":block")} HAVING ends IS NOT NULL"""
_LINE: Final = f"{SELECT} WHERE {IN_LINE} ORDER BY seq"
_NEXT: Final = f"SELECT seq FROM message WHERE {IN_LINE} AND seq >= ? ORDER BY seq LIMIT 1"
_IN_DOUBT: Final = f"{SELECT} WHERE ready = 1 AND state = 'uncertain' ORDER BY priority, seq"
_TO_ATTEND: Final = f"{SELECT} WHERE state = ? AND attend_at <= ? ORDER BY attend_at"
_SENDING: Final = f"{SELECT} WHERE state = 'sending'"
#: Each number stands in quotation marks.
_HAS: Final = "instr(recipients, '\"' || :recipient || '\"')"
#: One process has the file to itself: nothing has to be locked, and leases are in its memory.
_SQLITE: Final = Dialect(
    has_recipient=_HAS,
    by_recipient=(
        Part(
            source=f"numbers CROSS JOIN message ON {_IN_BLOCK.format('block')}",
            where=f"instr(ends, {_END.format(':recipient')}) AND {_HAS}",
            newest="block DESC, seq DESC",
            ranges={"before": f"block <= :before >> {BLOCK_BITS}", "floor": f"block >= :floor >> {BLOCK_BITS}"},
        ),
    ),
    newest="{}",  # the parts are merged, each read as far as it is needed
    source="message NOT INDEXED",
    is_on_way="seq IN (SELECT seq FROM way)",
)


class SqliteTable(Table):
    """The messages behind one connection; every method raises sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, check_place: Callable[[], None]) -> None:
        """``check_place`` raises sqlite3.OperationalError once the file is not where it was."""
        super().__init__(connection, _SQLITE)
        self._file = connection
        self._check_place = check_place

    def transaction(self) -> AbstractContextManager[None]:
        """What is done within is done wholly or not at all."""
        self._check_place()
        return schema.transaction(self._file)

    def insert(self, rows: Sequence[record.Row]) -> None:
        """Add ``rows``, in their order."""
        if not rows:
            return
        # What is the same in all of them is given once: to hand a value over costs as much as to keep it.
        columns = list(zip(*rows, strict=True))
        varying = [each for each, column in enumerate(columns) if column.count(column[0]) < len(rows)] or [ID]
        chosen = ["?"] * len(columns)
        for place, each in enumerate(varying, 1):
            chosen[each] = f"given.column{place}"
        same = [column[0] for each, column in enumerate(columns) if chosen[each] == "?"]
        template = _INSERT.replace("{columns}", ", ".join(chosen))
        for sql, values in _statements(template, list(zip(*[columns[each] for each in varying], strict=True))):
            last = self._file.execute(sql, [*same, *values]).lastrowid
        self._note_numbers(rows, (last or 0) - len(rows) + 1)

    def _note_numbers(self, rows: Sequence[record.Row], first: int) -> None:
        noted: list[Any] = []
        done = 0
        while done < len(rows):
            block = first + done >> BLOCK_BITS
            size = (block + 1 << BLOCK_BITS) - first - done
            noted += block, "".join([_ends(row[_RECIPIENTS]) for row in rows[done : done + size]])
            done += size
        self._file.execute(_NUMBERS.format(rows=", ".join(["(?, ?)"] * (len(noted) // 2))), noted)

    def _forgot(self, places: Sequence[int]) -> None:
        """Leave only the numbers that are still there in the blocks of ``places``."""
        for block in {place >> BLOCK_BITS for place in places}:
            self._file.execute("DELETE FROM numbers WHERE block = ?", (block,))
            self._file.execute(_BLOCK, {"block": block})

    def next_place(self) -> int:
        """The place of the next message that is inserted."""
        (last,) = self._file.execute("SELECT max(seq) FROM message").fetchone()
        return (last or 0) + 1

    def update(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """Make ``changes``, each of another id; the answer is the places of those in the state they had to be in."""
        return self._moved(_AMEND, changes)

    def store(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """The same of what is leased: what is held since stays as it is."""
        return self._moved(_STORE, changes)

    def _moved(self, template: str, changes: Sequence[Change]) -> Mapping[str, int]:
        moved: dict[str, int] = {}
        for sql, values in _statements(template, changes):
            moved.update(self._connection.execute(sql, values).fetchall())
        return moved

    def line(self, priority: Priority, api_key: str, *, limit: int, without: Container[str]) -> Iterator[Message]:
        """The messages in line of ``priority`` and ``api_key``, oldest first, passing over ids ``without``."""
        return self._each(_LINE, (priority, api_key), without)

    def in_doubt(self, *, limit: int, without: Container[str]) -> list[Message]:
        """The first ``limit`` uncertain messages whose time has come."""
        return list(islice(self._each(_IN_DOUBT, (), without), limit))

    def to_attend(self, state: State, now: float, *, limit: int, without: Container[str]) -> list[Message]:
        """The first ``limit`` messages in ``state`` whose ``attend_at`` has come at ``now`` (UTC epoch seconds)."""
        return list(islice(self._each(_TO_ATTEND, (state.value, now), without), limit))

    def _each(self, sql: str, values: Sequence[Any], without: Container[str]) -> Iterator[Message]:
        rows = self._connection.execute(sql, values)
        return (record.from_row(row) for row in rows if row[ID] not in without)

    def abandoned(self, *, without: Container[str]) -> list[Message]:
        """Every message that is being sent, passing over ids ``without``: who holds a lease is this process."""
        return list(self._each(_SENDING, (), without))

    def count(self) -> Tally:
        """Every message counted: reads the whole table, about a second a million."""
        depth = self._connection.execute("SELECT state, priority, count(*) FROM message GROUP BY 1, 2")
        lines = self._connection.execute(
            "SELECT DISTINCT priority, api_key FROM message WHERE ready = 1 AND state = 'queued'"
        ).fetchall()
        stretches = {(Priority(priority), key): self._stretches(priority, key) for priority, key in lines}
        recipients = self._connection.execute(
            "SELECT ifnull(sum(json_array_length(recipients)), 0) FROM message WHERE state = 'queued'"
        )
        return Tally(
            depth={(State(state), Priority(priority)): count for state, priority, count in depth},
            in_line={line: sum(counts.values()) for line, counts in stretches.items()},
            recipients=recipients.fetchone()[0],
            stretches=stretches,
        )

    def _stretches(self, *line: Any) -> dict[int, int]:
        counts: dict[int, int] = {}
        seq = 0
        while (row := self._file.execute(_NEXT, (*line, seq)).fetchone()) is not None:
            stretch = row[0] >> STRETCH_BITS
            seq = (stretch + 1) << STRETCH_BITS
            counts[stretch] = self._file.execute(WITHIN, (*line, row[0], seq)).fetchone()[0]
        return counts


def _ends(recipients: str) -> str:
    """The last digits of each of the ``recipients`` of a row."""
    digits = recipients[2:-2]
    if "," in digits:
        return "".join([_end(each) for each in digits.split('","')])
    return _end(digits) if digits else ""


def _end(digits: str) -> str:
    # The comma, so that none is found across the ends of two others.
    return "," + digits[-6:].rjust(6, "0")


def _statements(template: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, list[Any]]]:
    done = 0
    while (left := len(rows) - done) > 0:
        size = next((size for size in SIZES if size <= left), left)
        part = rows[done : done + size]
        yield _statement(template, size, len(part[0])), list(chain.from_iterable(part))
        done += size


@lru_cache(maxsize=512)  # to put a long one together takes as long as to look ten times for it among the prepared
def _statement(template: str, size: int, width: int) -> str:
    one = f"({', '.join('?' * width)})"
    return template.format(rows=", ".join([one] * size))
