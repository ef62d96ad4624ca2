"""Reads and writes the ledger of a stream: an SQLite table whose transactions may be nested."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from smsd.core.message import Message
from smsd.spool import record
from smsd.spool.sqlitetable import SqliteTable
from smsd.spool.table import OVER, SELECT

_IN_LINE_SINCE: Final = (
    f"{SELECT} WHERE ready = 1 AND state = 'queued' AND changed_at < ? AND not_before < ? ORDER BY seq LIMIT ?"
)
_HELD: Final = f"{SELECT} WHERE is_held = 1 AND accepted_at >= ? ORDER BY seq LIMIT ?"
_OVER_SINCE: Final = f"SELECT id FROM message WHERE {OVER} AND changed_at < ? ORDER BY changed_at LIMIT ?"
#: The index on ``id`` is to be used, and not the one on what is over: hence the sign.
_BLANK: Final = f"""
    UPDATE message SET body = '', recipients = '[]', deliveries = '[]', history = '[]', error = '',
        reference = '', callback_url = '', attend_at = NULL
    WHERE id IN (SELECT value FROM json_each(?)) AND {OVER} RETURNING seq"""


class StreamTable(SqliteTable):
    """The messages of one node's ledger; every method raises sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, lambda: None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done within is done wholly or not at all; may be nested."""
        if not self._file.in_transaction:
            with super().transaction():
                yield
            return
        self._file.execute("SAVEPOINT inner_one")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK TO inner_one")
            raise
        finally:
            self._file.execute("RELEASE inner_one")

    def waiting_since(self, before: float, limit: int) -> list[Message]:
        """Up to ``limit`` messages in line since before ``before`` (UTC epoch seconds)."""
        return self._messages(_IN_LINE_SINCE, before, before, limit)

    def held(self, since: float, limit: int) -> list[Message]:
        """Up to ``limit`` held messages accepted since ``since`` (UTC epoch seconds)."""
        return self._messages(_HELD, since, limit)

    def last_beat(self) -> float | None:
        """When messages could last be sent; None if that was never written down."""
        row = self._file.execute("SELECT at FROM beat").fetchone()
        return None if row is None else float(row[0])

    def over(self, before: float, limit: int) -> list[str]:
        """The ids of up to ``limit`` messages that ended before ``before`` and are not forgotten."""
        return [id for (id,) in self._file.execute(_OVER_SINCE, (before, limit)).fetchall()]

    def blank(self, ids: Sequence[str]) -> int:
        """Remove text and numbers of those of ``ids`` that have ended; the answer is how many."""
        blanked = self._file.execute(_BLANK, (json.dumps(ids),)).fetchall()
        self._forgot([seq for (seq,) in blanked])
        return len(blanked)

    def _messages(self, sql: str, *values: float) -> list[Message]:
        return [record.from_row(row) for row in self._file.execute(sql, values).fetchall()]
