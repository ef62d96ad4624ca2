"""Remembers in the ledger how far the log is read, and by it who has the lane."""

import sqlite3
from typing import Final

import attrs

from smsd.spool.stream.command import Entry

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS stream (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL,
        position TEXT NOT NULL, epoch INTEGER NOT NULL, owner TEXT NOT NULL, beat INTEGER NOT NULL,
        author TEXT NOT NULL, place TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS author (author TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS piece (author TEXT NOT NULL, number INTEGER NOT NULL, piece INTEGER NOT NULL,
        text BLOB NOT NULL, PRIMARY KEY (author, number, piece)) STRICT;"""
_AUTHOR: Final = "INSERT INTO author VALUES (?, ?) ON CONFLICT (author) DO UPDATE SET number = excluded.number"


@attrs.frozen(kw_only=True)
class Lane:
    """Who sends."""

    epoch: int = 0  #: rises with each owner
    owner: str = ""  #: an author; empty: nobody
    beat: int = 0  #: rises with each sign of life of an owner


class Journal:
    """A few rows beside the messages; changed in the same transactions. Every method raises sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        """``name`` is that of the log."""
        self._connection = connection
        self._name = name

    def prepare(self) -> bool:
        """Make the tables; False if the ledger was made from another log."""
        self._connection.executescript(_TABLES)
        sql = "INSERT INTO stream VALUES (1, ?, '', 0, '', 0, '', '') ON CONFLICT DO NOTHING"
        self._connection.execute(sql, (self._name,))
        (name,) = self._connection.execute("SELECT name FROM stream").fetchone()
        return bool(name == self._name)

    def hand_over(self, author: str, place: str) -> str:
        """Make ``author`` the one who has the ledger, at ``place``; the answer is who had it there before, if anybody.

        Whoever that was is dead: only one at a time holds the file of a place.
        """
        before, there = self._connection.execute("SELECT author, place FROM stream").fetchone()
        self._connection.execute("UPDATE stream SET author = ?, place = ?", (author, place))
        return str(before) if there == place else ""

    @property
    def position(self) -> str:
        """Of the last entry that was read; empty before the first."""
        return str(self._connection.execute("SELECT position FROM stream").fetchone()[0])

    @property
    def lane(self) -> Lane:
        """As it stands at this position."""
        epoch, owner, beat = self._connection.execute("SELECT epoch, owner, beat FROM stream").fetchone()
        return Lane(epoch=epoch, owner=owner, beat=beat)

    def reached(self, position: str, lane: Lane) -> None:
        """Write down where we are."""
        values = (position, lane.epoch, lane.owner, lane.beat)
        self._connection.execute("UPDATE stream SET position = ?, epoch = ?, owner = ?, beat = ?", values)

    def whole(self, entry: Entry) -> bytes | None:
        """The text of the commands that ``entry`` completes; None if pieces are missing, or it counted before."""
        done = self._connection.execute("SELECT number FROM author WHERE author = ?", (entry.author,)).fetchone()
        if done is not None and entry.number <= done[0]:
            return None
        text = entry.text if entry.pieces == 1 else self._joined(entry)
        if text is not None:
            self._connection.execute(_AUTHOR, (entry.author, entry.number))
            self._connection.execute("DELETE FROM piece WHERE author = ? AND number <= ?", (entry.author, entry.number))
        return text

    def _joined(self, entry: Entry) -> bytes | None:
        values = (entry.author, entry.number, entry.piece, entry.text)
        self._connection.execute("INSERT INTO piece VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
        sql = "SELECT text FROM piece WHERE author = ? AND number = ? ORDER BY piece"
        pieces = self._connection.execute(sql, (entry.author, entry.number)).fetchall()
        return b"".join(text for (text,) in pieces) if len(pieces) == entry.pieces else None
