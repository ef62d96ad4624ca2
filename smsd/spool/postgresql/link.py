"""Keeps one connection to the server, and makes another when it is gone."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import psycopg
from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus

from smsd.spool.postgresql.texts import TextDumper, TextLoader

#: Seconds that a new connection is waited for, and that a statement may wait for a row that another node changes.
CONNECT_S: Final = 5
LOCK_S: Final = 5
#: psycopg wants a per cent sign where the statements that engines share have ``?`` and ``:name``.
_PLACES: Final = re.compile(r"\?|:(\w+)")
_TEXTS: Final = ("text", "varchar", "json")


class Link:
    """One connection, made when it is first needed; for one thread at a time. Every method raises psycopg.Error."""

    def __init__(self, url: str, *, patience_s: float) -> None:
        """Connect to ``url``. A server that is silent for ``patience_s`` seconds counts as gone."""
        self._url = url
        self._patience_s = patience_s
        self._connection: Connection[Any] | None = None
        self._is_begun = False  # a transaction: what fails within it is never tried again on another connection

    @property
    def connection(self) -> "Connection[Any]":
        """The connection, made anew if there is none."""
        if self._connection is None or (self._connection.closed and not self._is_begun):
            self._connection = self._connect()
        return self._connection

    def execute(self, sql: str, values: Any = ()) -> "Cursor[Any]":
        """Run ``sql``; what is run outside a transaction may be run twice, if the connection turns out to be gone."""
        connection = self.connection
        try:
            return connection.execute(_translated(sql), values)
        except psycopg.OperationalError:
            if self._is_begun or not connection.closed:
                raise
        return self.connection.execute(_translated(sql), values)

    def copy(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Write ``rows`` by the COPY statement ``sql``."""
        with self.connection.cursor().copy(sql) as copy:
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is executed within is done wholly or not at all."""
        self.execute("BEGIN")
        connection, self._is_begun = self.connection, True
        try:
            yield
            connection.execute("COMMIT")
        finally:
            self._is_begun = False
            if connection.info.transaction_status != TransactionStatus.IDLE:
                _give_up(connection)

    def close(self) -> None:
        """Let go of the connection; the next call would make another."""
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> "Connection[Any]":
        silent_ms = round(self._patience_s * 1000)
        connection: Connection[Any] = psycopg.connect(
            self._url,
            autocommit=True,
            application_name="smsd",
            connect_timeout=CONNECT_S,
            # A network that is cut tells nobody: so that a call ends all the same.
            tcp_user_timeout=silent_ms,
            keepalives_idle=max(1, silent_ms // 3000),
            keepalives_interval=max(1, silent_ms // 6000),
            keepalives_count=3,
        )
        connection.adapters.register_dumper(str, TextDumper)
        for name in _TEXTS:
            connection.adapters.register_loader(name, TextLoader)
        connection.execute(
            """SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false),
                      set_config('idle_in_transaction_session_timeout', %s, false)""",
            (f"{LOCK_S}s", f"{silent_ms}ms", f"{silent_ms}ms"),
        )
        # A server that is set to forget the latest commits in a crash would break our word.
        connection.execute(
            """SELECT set_config('synchronous_commit', 'on', false)
               WHERE current_setting('synchronous_commit') IN ('off', 'local')"""
        )
        return connection


def _give_up(connection: "Connection[Any]") -> None:
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()  # the server does the rest


@cache
def _translated(sql: str) -> str:
    return _PLACES.sub(lambda place: f"%({place[1]})s" if place[1] else "%s", sql.replace("%", "%%"))
