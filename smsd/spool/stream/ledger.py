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
from smsd.spool.stream.log import Log, LogCut, LogTrouble
from smsd.spool.stream.shelf import Snapshot
from smsd.spool.stream.snapshots import Snapshots

#: Names that are tried: as many nodes may share a folder.
TRIES: Final = 32
#: How often snapshots are looked for.
LOOKS: Final = 3
#: To whom nothing leads on.
ADVICE: Final = "Stop another node, copy its ledger here, and start both"
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


def lead_on(journal: Journal, log: Log, snapshots: Snapshots, writing: sqlite3.Connection) -> bool:
    """Have ``log`` stand where the ledger does, which ``journal`` is of and ``writing`` has open.

    A new one begins from the newest of ``snapshots``, and so does one that misses what the log has let go of: then the
    answer is True. Raises SpoolRefused, LogTrouble, sqlite3.Error, OSError and Ended.
    """
    why = _cut(log, journal.position)
    if journal.position and why is None:
        return False
    for _ in range(LOOKS):  # what was there may be cut back while we read it, and then there is a newer one
        listed = _listed(snapshots)
        if _begun(listed, journal, log, snapshots, writing):
            return True
        if not listed:
            break
    if why is not None:
        raise SpoolRefused(reason=f"{why.reason}, and no snapshot leads on. {ADVICE}")
    return False


def _begun(
    listed: Sequence[Snapshot], journal: Journal, log: Log, snapshots: Snapshots, writing: sqlite3.Connection
) -> bool:
    for snapshot in reversed(listed):
        if _cut(log, snapshot.position) is not None:
            continue
        try:
            snapshots.restore(snapshot, writing)
        except LogTrouble as trouble:
            _logger.warn("snapshot {name}: {reason}", name=snapshot.name, reason=trouble.reason)
            continue
        if journal.prepare() and _cut(log, journal.position) is None:
            _logger.info("the ledger begins from the snapshot at {place}", place=snapshot.position)
            return True
    return False


def _cut(log: Log, position: str) -> LogCut | None:
    """Why ``log`` does not have all that came after ``position``; None: it has. Raises SpoolRefused if it never did."""
    try:
        log.start(position)
    except LogCut as cut:
        return cut
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
