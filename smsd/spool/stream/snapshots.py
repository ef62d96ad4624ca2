"""Puts the whole ledger onto a shelf now and then, so that the log need not be kept, nor read, from its beginning."""

import hashlib
import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Final

from smsd.core.errors import SpoolRefused
from smsd.spool import schema
from smsd.spool.stream.log import LogTrouble
from smsd.spool.stream.shelf import Contents, Keeping, Snapshot

#: Octets of a ledger that are read at once.
BLOCK: Final = 1 << 20
#: Steps of SQLite's machine between two looks at whether the node ends.
STEPS: Final = 1_000_000
#: How zlib is told to write and read gzip.
GZIP: Final = 31
#: The quickest: a ledger becomes a sixth to a third of its size.
LEVEL: Final = 1


class Ended(Exception):
    """The node ends; what was begun is not wanted any more."""


class Snapshots:
    """Those of one log, and of the file that is this node's ledger of it."""

    def __init__(self, keeping: Keeping, log: str, ledger: Path) -> None:
        """``log`` is the name that the ledger has of it."""
        self._shelf = keeping.shelf
        self._now = keeping.timing.now
        self._log = log
        self._ledger = ledger
        self._end = Event()
        self._one_at_a_time = Lock()  # the sender takes them in a thread; a node that was left behind begins anew
        _clear(ledger)

    def listed(self) -> Sequence[Snapshot]:
        """Those of our log, the oldest first. Raises LogTrouble."""
        with self._one_at_a_time:
            return [each for each in self._shelf.listed() if each.log == self._log]

    def end(self) -> None:
        """Have what is under way raise Ended soon; any thread may call it."""
        self._end.set()
        self._shelf.end()

    def close(self) -> None:
        """Let go of the shelf."""
        self._shelf.close()

    def take(self) -> None:
        """Put what is in the ledger onto the shelf, and read it again; it counts if it is there as it was put.

        Raises SpoolRefused if the shelf must be made first, LogTrouble, sqlite3.Error, OSError and Ended.
        """
        with self._one_at_a_time:
            self._shelf.prepare()
            self._take()

    def let_go(self, kept: Sequence[Snapshot]) -> None:
        """Let go of those that are older than all of ``kept``. Raises LogTrouble."""
        with self._one_at_a_time:
            self._shelf.keep_only(kept)

    def _take(self) -> None:
        with _scratch(self._ledger) as copy:
            position = self._copied(copy)
            tale = _Tale(_zipped(copy, self._shelf.largest), self._end)
            name, made_at = secrets.token_hex(8), self._now()
            where = self._shelf.put(name, tale)
        snapshot = Snapshot(
            name=name, log=self._log, position=position, made_at=made_at, contents=tale.contents, where=where
        )
        for _ in self._checked(snapshot):
            pass
        self._shelf.enlist(snapshot)

    def restore(self, snapshot: Snapshot, into: sqlite3.Connection) -> None:
        """Replace what is in the ledger, which ``into`` has open, by ``snapshot``, wholly or not at all.

        Raises SpoolRefused if a newer smsd made it, LogTrouble, sqlite3.Error, OSError and Ended.
        """
        with self._one_at_a_time, _scratch(self._ledger) as copy:
            with copy.open("wb") as file:
                for block in _unzipped(self._checked(snapshot)):
                    file.write(block)
            # As it is: nothing beside it belongs to it.
            with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as source:
                (version,) = source.execute("PRAGMA user_version").fetchone()
                if version > len(schema.migrations()):
                    raise SpoolRefused(reason="the snapshot was made by a newer smsd: upgrade this one")
                if source.execute("SELECT name, position FROM stream").fetchone() != (self._log, snapshot.position):
                    raise LogTrouble(reason=f"the snapshot {snapshot.name} is not at {snapshot.position}")
                source.backup(into)
        schema.prepare(into, schema.migrations())
        # What was written by the way is as large as all of it.
        into.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _copied(self, copy: Path) -> str:
        """Write what is in the ledger into ``copy``; the answer is the position it stands at."""
        with closing(sqlite3.connect(self._ledger, isolation_level=None)) as reading:
            reading.set_progress_handler(self._end.is_set, STEPS)
            try:
                # Without the free pages, and so without what was forgotten.
                reading.execute("VACUUM INTO ?", (str(copy),))
            except sqlite3.OperationalError:
                if self._end.is_set():
                    raise Ended from None
                raise
        with closing(sqlite3.connect(copy, isolation_level=None)) as writing:
            writing.execute("PRAGMA journal_mode = MEMORY")  # it is thrown away if this is cut off
            writing.execute("UPDATE stream SET author = '', place = ''")  # it is nobody's
            return str(writing.execute("SELECT position FROM stream").fetchone()[0])

    def _checked(self, snapshot: Snapshot) -> Iterator[bytes]:
        tale = _Tale(self._shelf.parts(snapshot), self._end)
        yield from tale
        if tale.contents != snapshot.contents:
            raise LogTrouble(reason=f"the snapshot {snapshot.name} is not what was put onto the shelf")


class _Tale:
    """Takes note of parts as they go by."""

    def __init__(self, source: Iterable[bytes], end: Event) -> None:
        self._source = source
        self._end = end
        self._parts = 0
        self._octets = 0
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for part in self._source:
            if self._end.is_set():
                raise Ended
            self._parts += 1
            self._octets += len(part)
            self._hash.update(part)
            yield part

    @property
    def contents(self) -> Contents:
        """Of those that went by."""
        return Contents(parts=self._parts, octets=self._octets, digest=self._hash.hexdigest())


@contextmanager
def _scratch(ledger: Path) -> Iterator[Path]:
    """An empty file beside ``ledger``, for this node's eyes and gone at the end; one that a crash left is replaced."""
    path = _clear(ledger)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield path
    finally:
        _clear(ledger)


def _clear(ledger: Path) -> Path:
    """Remove the scratch file of ``ledger``, which is the answer, with what SQLite may have left beside it.

    A rollback journal would be rolled back into the next file of that name.
    """
    path = ledger.with_name(f"{ledger.name}.snapshot")
    for beside in ("-journal", "-wal", "-shm", ""):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    return path


def _zipped(path: Path, largest: int) -> Iterator[bytes]:
    """What is in ``path``, compressed, in parts of ``largest`` octets, but for the last."""
    zipping = zlib.compressobj(LEVEL, wbits=GZIP)
    held = bytearray()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            held += zipping.compress(block)
            while len(held) >= largest:
                yield bytes(held[:largest])
                del held[:largest]
    held += zipping.flush()
    yield from (bytes(held[start : start + largest]) for start in range(0, len(held), largest))


def _unzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    unzipping = zlib.decompressobj(wbits=GZIP)
    try:
        for part in parts:
            yield unzipping.decompress(part)
    except zlib.error as error:
        raise LogTrouble(reason=f"a snapshot cannot be read: {error}") from None
    yield unzipping.flush()
