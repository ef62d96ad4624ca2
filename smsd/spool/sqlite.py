"""Keeps messages in an SQLite file: a message is durable once its append returns."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from zope.interface import implementer

from smsd.core.errors import SpoolRefused
from smsd.core.notice import Measure, unmeasured
from smsd.core.turns import AGEING_S
from smsd.ports import IEngine
from smsd.spool import schema
from smsd.spool.postbox import Postbox
from smsd.spool.sqlitedesk import SqliteDesk
from smsd.spool.sqlitetable import SqliteTable
from smsd.spool.sqlspool import SqlSpool
from smsd.spool.tally import Tally
from smsd.spool.writer import IWriterReactor

#: Seconds that a lock which somebody else (a backup, a shell) has on the file is waited for.
BUSY_S: Final = 2.0


@implementer(IEngine)
class SqliteSpool(SqlSpool):
    """A spool and ledger in one file, for one daemon at a time."""

    trouble = sqlite3.Error

    def __init__(
        self,
        path: str,
        *,
        reactor: IWriterReactor,
        ageing_s: float = AGEING_S,
        busy_s: float = BUSY_S,
        measure: Measure = unmeasured,
    ) -> None:
        """Keep messages in the file ``path``; if another program locks it, wait up to ``busy_s`` seconds.

        What is ``ageing_s`` seconds in line rises, see core.turns.
        """
        super().__init__(reactor=reactor, measure=measure)
        self._path = Path(path).resolve()
        self._ageing_s = ageing_s
        self._busy_s = busy_s

    def open(self) -> None:
        """Lock, check and migrate the file, take stock, start the threads. Raises SpoolRefused."""
        with ExitStack() as undo:
            try:
                self._make_ready(undo)
            except sqlite3.Error as error:
                raise SpoolRefused(reason=f"{self._path}: {error}") from error
            except OSError as error:
                raise SpoolRefused(reason=f"{self._path}: {error.strerror}") from error
            self._held = undo.pop_all()

    def listen(self, wake: Callable[[], None]) -> None:
        """Nothing: no other process can leave something to send."""

    async def close(self) -> None:
        """Finish every job, then let go of the file; does nothing if it is not open."""
        if self._is_open:
            await self._stop(self._held.close)

    def _make_ready(self, undo: ExitStack) -> None:
        check_place = undo.enter_context(schema.held(self._path))
        writing = undo.enter_context(closing(schema.connect(self._path, busy_s=self._busy_s)))
        try:
            schema.prepare(writing, schema.migrations())
        except SpoolRefused as refused:
            raise SpoolRefused(reason=f"{self._path}: {refused.reason}") from None
        table, postbox = SqliteTable(writing, check_place), Postbox(writing)
        self._desk = SqliteDesk(table, postbox, self._ageing_s)
        # Let go of in the other order: the connection that closes last empties the write-ahead log into the file.
        reading = undo.enter_context(closing(schema.connect_to_read(self._path, busy_s=self._busy_s)))
        self._start(self._desk, (table, postbox), (SqliteTable(reading, check_place), Postbox(reading)))

    async def _tally(self) -> Tally:
        self._check_open()
        return self._desk.tally
