"""Puts the whole ledger onto a shelf now and then, so that the log need not be kept, nor read, from its beginning."""

import hashlib
import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Final

from smsd.core.errors import SpoolRefused
from smsd.spool import schema
from smsd.spool.stream.log import LogTrouble
from smsd.spool.stream.shelf import Contents, Keeping, Snapshot

#: Snapshots that are kept. The log is kept from the oldest of them on: if the newest cannot be read, that one can.
KEPT: Final = 2
#: Octets of a ledger that are read at once.
BLOCK: Final = 1 << 20
#: Steps of SQLite's machine between two looks at whether the node ends.
STEPS: Final = 1_000_000
#: How zlib is told to write and read gzip.
GZIP: Final = 31
#: The quickest: a ledger becomes a third of its size.
LEVEL: Final = 1


class Ended(Exception):
    """The node ends; what was begun is not wanted any more."""


class Snapshots:
    """Those of one log; for one thread at a time."""

    def __init__(self, keeping: Keeping, log: str) -> None:
        """``log`` is the name that the ledger has of it."""
        self._shelf = keeping.shelf
        self._now = keeping.timing.now
        self._log = log
        self._end = Event()

    def listed(self) -> Sequence[Snapshot]:
        """Those of our log, the oldest first. Raises LogTrouble."""
        return [each for each in self._shelf.listed() if each.log == self._log]

    def end(self) -> None:
        """Have what is under way raise Ended soon; any thread may call it."""
        self._end.set()

    def close(self) -> None:
        """Let go of the shelf."""
        self._shelf.close()

    def take(self, ledger: Path) -> Sequence[Snapshot]:
        """Put what is in the file ``ledger`` onto the shelf; once it was read again as it was put, let older ones go.

        The answer is what is kept, the oldest first.
        Raises SpoolRefused if the shelf must be made first, LogTrouble, sqlite3.Error, OSError and Ended.
        """
        self._shelf.prepare()
        with _scratch(ledger) as copy:
            position = self._copied(ledger, copy)
            tale = _Tale(_zipped(copy, self._shelf.largest), self._end)
            name, made_at = secrets.token_hex(8), self._now()
            where = self._shelf.put(name, tale)
        snapshot = Snapshot(
            name=name, log=self._log, position=position, made_at=made_at, contents=tale.contents, where=where
        )
        for _ in self._checked(snapshot):
            pass
        self._shelf.enlist(snapshot)
        kept = self.listed()[-KEPT:]
        self._shelf.keep_only(kept)
        return kept

    def restore(self, snapshot: Snapshot, ledger: Path, into: sqlite3.Connection) -> None:
        """Replace what is in the file ``ledger``, which ``into`` has open, by ``snapshot``, wholly or not at all.

        Raises SpoolRefused if a newer smsd made it, LogTrouble, sqlite3.Error and OSError.
        """
        with _scratch(ledger) as copy:
            with copy.open("wb") as file:
                for block in _unzipped(self._checked(snapshot)):
                    file.write(block)
            with closing(sqlite3.connect(copy)) as source:
                (version,) = source.execute("PRAGMA user_version").fetchone()
                if version > len(schema.migrations()):
                    raise SpoolRefused(reason="the snapshot was made by a newer smsd: upgrade this one")
                source.backup(into)

    def _copied(self, ledger: Path, copy: Path) -> str:
        """Write what is in ``ledger`` into ``copy``; the answer is the position it stands at."""
        with closing(sqlite3.connect(ledger, isolation_level=None)) as reading:
            reading.set_progress_handler(self._end.is_set, STEPS)
            try:
                # Without the free pages, and so without what was forgotten.
                reading.execute("VACUUM INTO ?", (str(copy),))
            except sqlite3.OperationalError:
                if self._end.is_set():
                    raise Ended from None
                raise
        with closing(sqlite3.connect(copy, isolation_level=None)) as writing:
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
    path = ledger.with_name(f"{ledger.name}.snapshot")
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


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
