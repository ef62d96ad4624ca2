"""Opens an SQLite file as a spool, or says why it is none."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

from smsd.core.errors import SpoolRefused

#: "smsd" in ASCII, in the header of every file of ours (https://www.sqlite.org/fileformat2.html, 1.3.14).
APPLICATION_ID: Final = 0x736D7364
#: STRICT tables came with this version; UPDATE … FROM and RETURNING before it.
OLDEST_SQLITE: Final = (3, 37, 0)
#: KiB of pages that the writer keeps in memory.
CACHE_KIB: Final = 65_536


def migrations() -> tuple[str, ...]:
    """The SQL that leads from each version of the schema to the next; the first makes version 1."""
    folder = resources.files("smsd.spool") / "sql"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8") for file in files if file.name.endswith(".sql"))


@contextmanager
def held(path: Path) -> Iterator[Callable[[], None]]:
    """Hold ``path`` for this process alone; it and its folders are made if missing. Raises SpoolRefused.

    What it gives raises sqlite3.OperationalError once the file is no longer where it was: what would be written to it
    then would be lost.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(Path(f"{path}.lock"), path, os.O_RDWR) as lock:
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        # The file itself as well: the lock file may be removed, and another name of the file has another one. SQLite
        # locks by fcntl, which knows nothing of flock, but loses its locks if this is closed before its connections.
        with _locked(path, path, os.O_RDONLY) as file:
            if os.fstat(file).st_nlink > 1:
                raise SpoolRefused(reason=f"{path} has another name (a hard link), and SQLite would keep two logs")
            _sync_folder(path)
            yield lambda: _must_be(path, file)


@contextmanager
def _locked(name: Path, spool: Path, flags: int) -> Iterator[int]:
    file = os.open(name, flags | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolRefused(reason=f"{spool} is in use by process {_holder(spool)}") from None
        yield file
    finally:
        # The lock file stays: whoever removed it could let a third process lock a new one beside a second.
        os.close(file)


def _holder(spool: Path) -> str:
    try:
        return Path(f"{spool}.lock").read_text(encoding="ascii", errors="replace").strip() or "unknown"
    except OSError:
        return "unknown"


def _must_be(path: Path, file: int) -> None:
    try:
        there = os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        there = False
    if not there:
        raise sqlite3.OperationalError(f"{path} was removed or replaced while in use")


def _sync_folder(path: Path) -> None:
    # A new file is only durable once its folder is.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def connect(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open ``path``, which is held, to write; another's lock is waited for up to ``busy_s`` seconds."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise SpoolRefused(reason=f"SQLite {sqlite3.sqlite_version} is too old, 3.37 is the oldest that will do")
    connection = _connection(path, busy_s)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    # What is removed is overwritten: a text that was forgotten is gone, and not only out of reach.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def connect_to_read(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open ``path`` to read only."""
    connection = _connection(path, busy_s)
    connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Bring the schema up to date with ``scripts``, each in a transaction. Raises SpoolRefused, sqlite3.Error."""
    application_id = _value(connection, "PRAGMA application_id")
    has_tables = _value(connection, "SELECT count(*) FROM sqlite_schema")
    if application_id != APPLICATION_ID and (application_id or has_tables):
        raise SpoolRefused(reason="the file belongs to another program")
    version = _value(connection, "PRAGMA user_version")
    if version > len(scripts):
        raise SpoolRefused(reason=f"its schema has version {version}, this smsd knows {len(scripts)}: upgrade smsd")
    if (mode := _value(connection, "PRAGMA journal_mode = WAL")) != "wal":
        raise SpoolRefused(reason=f"its file system allows no write-ahead log, only {mode}")
    for number, script in enumerate(scripts[version:], version + 1):
        _migrate(connection, script, number)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end; nothing has changed if anything raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # After some errors SQLite has rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _migrate(connection: sqlite3.Connection, script: str, number: int) -> None:
    # One transaction, the version within it; a failure leaves it to the closing of the connection to roll back.
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{script}\n"
        f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {number};\nCOMMIT;"
    )


def _connection(path: Path, busy_s: float) -> sqlite3.Connection:
    # One thread at a time uses it, but not always the one that opened it.
    return sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False, cached_statements=512)


def _value(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]
