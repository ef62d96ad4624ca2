"""Does the writer's work on an SQLite file, whose leases and counts are in memory."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count

from smsd.core.message import Message
from smsd.ports import Lease
from smsd.spool.desk import Desk
from smsd.spool.jobs import Store
from smsd.spool.postbox import Postbox
from smsd.spool.sqlitetable import SqliteTable
from smsd.spool.tally import Draft, Tally


class SqliteDesk(Desk):
    """A desk that has the file to itself: a crash releases its leases by itself. Any thread may read ``tally``."""

    own_fault = (
        sqlite3.IntegrityError,
        sqlite3.DataError,
        sqlite3.InterfaceError,
        sqlite3.ProgrammingError,
        ValueError,
        OverflowError,
    )
    trouble = sqlite3.Error

    def __init__(self, table: SqliteTable, postbox: Postbox, ageing_s: float) -> None:
        super().__init__(table, postbox, ageing_s)
        self._own = table
        self._tokens = count(1)
        self.tally: Tally = table.count()

    @contextmanager
    def _transaction(self) -> Iterator[Draft]:
        draft = Draft(self.tally)
        with self._table.transaction():
            yield draft
        # Committed. From here on only memory changes, and nothing can fail.
        self.tally = draft.tally()

    def _grant(self, messages: Sequence[Message]) -> list[Lease]:
        return [Lease(message=message, token=next(self._tokens)) for message in messages]

    def _let_go(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            self.leases.end(lease)

    def _moved(self, jobs: Sequence[Store]) -> Mapping[str, int]:
        return self._own.store([job.change for job in jobs if self.leases.holds(job.lease)])
