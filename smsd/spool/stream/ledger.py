"""Opens this node's copy of what a log says."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from smsd.core.errors import SpoolRefused
from smsd.spool import schema
from smsd.spool.stream.journal import Journal
from smsd.spool.stream.log import Log, LogTrouble
from smsd.spool.stream.shelf import Snapshot
from smsd.spool.stream.snapshots import Snapshots

#: Names that are tried: as many nodes may share a folder.
TRIES: Final = 32
_logger: Final = Logger()


def open_ledger(undo: ExitStack, path: Path, log: str, *, busy_s: float) -> tuple[Path, sqlite3.Connection, Journal]:
    """Hold and open ``path``, or the next name that is free, as a ledger of ``log``; ``undo`` lets go of it.

    Which of them a node has makes no difference: all say the same, and what one lacks is read from the log. What
    another process has, or was made from another log, is passed over. Raises SpoolRefused, sqlite3.Error and OSError.
    """
    why = SpoolRefused(reason=f"{path} is no name for a file")
    for each in _names(path):
        with ExitStack() as attempt:
            try:
                attempt.enter_context(schema.held(each))
            except SpoolRefused as refused:
                why = refused
                continue
            writing = attempt.enter_context(closing(schema.connect(each, busy_s=busy_s)))
            journal = _prepared(each, writing, log)
            if journal is not None:
                undo.push(attempt.pop_all())
                return each, writing, journal
            why = SpoolRefused(reason=f"{each} is the ledger of another stream: name another file in SMSD_LEDGER")
    raise why


def lead_on(journal: Journal, log: Log, snapshots: Snapshots, ledger: Path, writing: sqlite3.Connection) -> None:
    """Have ``log`` stand where the file ``ledger`` does, which ``journal`` is of and ``writing`` has open.

    A new one begins from the newest of ``snapshots``, and so does one that misses what the log has let go of. Raises
    SpoolRefused, LogTrouble, sqlite3.Error and OSError.
    """
    why = _missing(log, journal.position)
    if journal.position and why is None:
        return
    for snapshot in reversed(_listed(snapshots)):
        if _missing(log, snapshot.position) is not None:
            continue
        try:
            snapshots.restore(snapshot, ledger, writing)
        except LogTrouble as trouble:
            _logger.warn("snapshot {name}: {reason}", name=snapshot.name, reason=trouble.reason)
            continue
        schema.prepare(writing, schema.migrations())
        _ = journal.prepare()
        _logger.info("{path} begins from the snapshot at {place}", path=ledger, place=snapshot.position)
        return
    if why is not None:
        raise why


def _missing(log: Log, position: str) -> SpoolRefused | None:
    """What ``log`` does not have any more after ``position``; it stands there if it has all."""
    try:
        log.start(position)
    except SpoolRefused as refused:
        return refused
    return None


def _listed(snapshots: Snapshots) -> Sequence[Snapshot]:
    try:
        return snapshots.listed()
    except LogTrouble as trouble:
        _logger.warn("snapshots cannot be looked for: {reason}", reason=trouble.reason)
        return ()


def place_of(path: Path) -> str:
    """What no copy of the file ``path`` has in common with it."""
    return f"{os.uname().nodename} {path.stat().st_dev} {path.stat().st_ino}"


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, TRIES + 1):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _prepared(path: Path, writing: sqlite3.Connection, log: str) -> Journal | None:
    # What a power cut takes from the ledger is read from the log again.
    writing.execute("PRAGMA synchronous = NORMAL")
    try:
        schema.prepare(writing, schema.migrations())
    except SpoolRefused as refused:
        raise SpoolRefused(reason=f"{path}: {refused.reason}") from None
    journal = Journal(writing, log)
    return journal if journal.prepare() else None
