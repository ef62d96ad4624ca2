"""Reads and writes messages in the table ``message``."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

from smsd.core.claim import Claim, Claimed, kept_claim
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.core.query import Page, Query
from smsd.core.quota import Quota, Usage
from smsd.core.turns import ahead
from smsd.spool import record
from smsd.spool.dialect import Connection, Dialect
from smsd.spool.jobs import Change, Moved
from smsd.spool.places import IN_LINE, before, before_in, crowd
from smsd.spool.search import Way, search_sql, slice_size, ways
from smsd.spool.tally import Tally

#: Messages of a priority that one lease moves into the line at most; about 5 ms of the writer's time.
WAKE: Final = 500
#: Messages whose time has not come that are looked at to tell when there is room; about 1 ms.
LOOK: Final = 1000
#: Idempotency keys that have run out and are dropped with each new one.
UNCLAIM: Final = 20

SELECT: Final = f"SELECT {', '.join(record.FIELDS)} FROM message"
#: Chosen first, all at once: PostgreSQL may ask an inner question again for each row that it has locked since.
_CHOSEN: Final = "WITH chosen AS MATERIALIZED (SELECT {key} FROM {rows} LIMIT :limit {{skip}})"
_NOW_DUE: Final = "message WHERE ready = 0 AND priority = :line AND not_before <= :at ORDER BY not_before"
_WAKE: Final = f"""
    {_CHOSEN.format(key="seq", rows=_NOW_DUE)}
    UPDATE message SET ready = 1 WHERE ready = 0 AND seq IN (SELECT seq FROM chosen) RETURNING state, api_key, seq"""
_LATER: Final = """
    SELECT not_before FROM message WHERE ready = 0 AND priority = ? AND state = 'queued' ORDER BY not_before LIMIT ?"""
#: Since when a message is in line: it was due already as it came into its state, or became due later.
_IN_LINE_SINCE: Final = "message WHERE ready = 1 AND state = 'queued' AND changed_at < :at AND not_before < :at"
_HOLD: Final = f"""
    {_CHOSEN.format(key="seq", rows=_IN_LINE_SINCE)}
    UPDATE message SET is_held = 1, ready = NULL{{unlease}}
    WHERE ready = 1 AND state = 'queued' AND seq IN (SELECT seq FROM chosen) RETURNING priority, api_key, seq"""
_UNHOLD: Final = f"""
    {_CHOSEN.format(key="seq", rows="message WHERE is_held = 1 AND accepted_at >= :at ORDER BY seq")}
    UPDATE message SET is_held = 0, ready = 1, changed_at = :now WHERE is_held = 1 AND seq IN (SELECT seq FROM chosen)
    RETURNING priority, api_key, seq"""
_UNCLAIM: Final = f"""
    {_CHOSEN.format(key="api_key, key", rows="claim WHERE until <= :at ORDER BY until")}
    DELETE FROM claim
    WHERE (api_key, key) IN (SELECT api_key, key FROM chosen) OR (api_key = :api_key AND key = :key)"""
_CLAIMS: Final = """
    SELECT api_key, key, fingerprint, answer, until FROM claim
    WHERE (api_key, key) > (?, ?) AND until > ? ORDER BY api_key, key LIMIT ?"""
_CHARGE: Final = """
    INSERT INTO usage VALUES (?, ?, ?, ?)
    ON CONFLICT (api_key, quota) DO UPDATE SET start = excluded.start, used = excluded.used"""
_BEAT: Final = "INSERT INTO beat VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at"
#: By the index message_valid_until.
_OVERDUE: Final = """
    SELECT id FROM message WHERE state = 'queued' AND valid_until IS NOT NULL AND valid_until <= ?
    ORDER BY valid_until LIMIT ?"""
#: Finished, neither dead nor forgotten: word for word as in the index message_keep, which is used only so.
OVER: Final = """
    ready IS NULL AND state <> 'sending' AND state <> 'dead' AND state <> 'queued' AND state <> 'uncertain'
    AND body <> ''"""
_FORGET: Final = f"""
    {_CHOSEN.format(key="seq", rows=f"message WHERE {OVER} AND changed_at < :at ORDER BY changed_at")}
    UPDATE message SET body = '', recipients = '[]', deliveries = '[]', history = '[]', error = '',
        reference = '', callback_url = '', attend_at = NULL
    WHERE seq IN (SELECT seq FROM chosen) RETURNING seq"""
ID: Final = record.FIELDS.index("id")


def change(was: Message, after: Message) -> Change:
    """What turns ``was``, as long as it is in that state, into ``after``."""
    return (was.id, was.state.value, *record.life(after))


class Table(ABC):
    """The messages behind one connection, as far as engines do alike; every method raises the driver's own errors."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """What is done within is done wholly or not at all."""

    @abstractmethod
    def insert(self, rows: Sequence[record.Row]) -> None:
        """Add ``rows``, in their order."""

    @abstractmethod
    def next_place(self) -> int | None:
        """The place of the next message that is inserted; None if nobody can know."""

    @abstractmethod
    def update(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """Make ``changes``, each of another id; the answer is the places, by id, of those in the state they had to be.

        A place is the order of acceptance.
        """

    @abstractmethod
    def line(self, priority: Priority, api_key: str, *, limit: int, without: Container[str]) -> Iterator[Message]:
        """The messages in line of ``priority`` and ``api_key``, oldest first, that nobody leases.

        At least ``limit``, if there are as many; ids ``without`` are passed over.
        """

    @abstractmethod
    def in_doubt(self, *, limit: int, without: Container[str]) -> list[Message]:
        """The first ``limit`` uncertain messages whose time has come, that nobody leases; see ``line``."""

    @abstractmethod
    def to_attend(self, state: State, now: float, *, limit: int, without: Container[str]) -> list[Message]:
        """The first ``limit`` in ``state`` whose ``attend_at`` has come at ``now`` (epoch seconds); see ``line``."""

    @abstractmethod
    def abandoned(self, *, without: Container[str]) -> list[Message]:
        """Every message that is being sent by nobody who is alive; see ``line``."""

    @abstractmethod
    def _forgot(self, places: Sequence[int]) -> None:
        """Remove the numbers of the messages at ``places`` from wherever else they are: they have none any more."""

    def claimed(self, api_key: str, key: str, now: float) -> Claimed | None:
        """What the idempotency key stands for at ``now`` (UTC epoch seconds), if anything."""
        sql = "SELECT fingerprint, answer FROM claim WHERE api_key = ? AND key = ? AND until > ?"
        row = self._connection.execute(sql, (api_key, key, now)).fetchone()
        return None if row is None else Claimed(fingerprint=row[0], answer=row[1])

    def claims(self, now: float, after: tuple[str, str], limit: int) -> list[Claim]:
        """Up to ``limit`` keys that stand for something at ``now``, after the API key and the key ``after``."""
        rows = self._connection.execute(_CLAIMS, (*after, now, limit)).fetchall()
        return [kept_claim(row[0], row[1], Claimed(fingerprint=row[2], answer=row[3]), now, row[4]) for row in rows]

    def claim(self, claim: Claim, claimed: Claimed) -> None:
        """Keep what ``claim`` stands for now, and drop a few that have run out."""
        values = (claim.api_key, claim.key, claimed.fingerprint, claimed.answer, claim.until)
        place = {"at": claim.at, "limit": UNCLAIM, "api_key": claim.api_key, "key": claim.key}
        self._connection.execute(self._spoken(_UNCLAIM), place)
        self._connection.execute("INSERT INTO claim VALUES (?, ?, ?, ?, ?)", values)

    def used(self, api_key: str, quotas: Sequence[Quota], now: float) -> dict[str, int]:
        """What the API key named ``api_key`` has used in the current window of each of ``quotas``, by its name."""
        rows = self._connection.execute("SELECT quota, start, used FROM usage WHERE api_key = ?", (api_key,))
        known = {name: (start, used) for name, start, used in rows}
        starts = {quota.name: quota.start(now) for quota in quotas}
        return {name: known[name][1] for name, start in starts.items() if known.get(name, (None, 0))[0] == start}

    def charge(self, api_key: str, usages: Sequence[Usage], now: float) -> None:
        """Keep ``usages`` as those of the API key named ``api_key``."""
        for usage in usages:
            row = (api_key, usage.quota.name, usage.quota.start(now), usage.used)
            self._connection.execute(_CHARGE, row)

    def wake(self, now: float) -> list[Moved]:
        """Move what has become due at ``now`` (UTC epoch seconds) into the line, up to WAKE of each priority.

        The answer is what came into a line of the queued.
        """
        woken: list[Moved] = []
        for priority in Priority:
            values = {"line": int(priority), "at": now, "limit": WAKE}
            rows = self._connection.execute(self._spoken(_WAKE), values).fetchall()
            woken += [((priority, key), 1, seq) for state, key, seq in rows if state == State.QUEUED.value]
        return woken

    def hold(self, before: float, limit: int) -> list[Moved]:
        """Hold up to ``limit`` messages in line since before ``before``; the answer is what left its line."""
        return self._shifted(-1, _HOLD, before, limit)

    def unhold(self, since: float, now: float, limit: int) -> list[Moved]:
        """Let up to ``limit`` held messages accepted since ``since`` into line; the answer is what came into one."""
        return self._shifted(1, _UNHOLD, since, limit, now=now)

    def silence(self, id: str) -> None:
        """Have the changes of message ``id`` posted nowhere."""
        self._connection.execute("UPDATE message SET callback_url = '' WHERE id = ?", (id,))

    def _shifted(self, count: int, sql: str, at: float, limit: int, **more: float) -> list[Moved]:
        rows = self._connection.execute(self._spoken(sql), {"at": at, "limit": limit, **more}).fetchall()
        return [((Priority(priority), api_key), count, seq) for priority, api_key, seq in rows]

    def due_at(self, number: int) -> float | None:
        """When the time of ``number`` queued messages, of at most LOOK, will have come; None: there are fewer."""
        number, times = min(number, LOOK), []
        for priority in Priority:
            times += self._connection.execute(_LATER, (int(priority), number)).fetchall()
        return float(sorted(times)[number - 1][0]) if len(times) >= number else None

    def firsts(self, lines: Iterable[tuple[Priority, str]]) -> dict[Priority, float]:
        """Since when (UTC epoch seconds) the first of each priority in ``lines`` is in line, where one is."""
        sql = f"SELECT changed_at, not_before FROM message WHERE {IN_LINE} ORDER BY seq LIMIT 1"
        firsts: dict[Priority, float] = {}
        for priority, key in lines:
            first = self._connection.execute(sql, (int(priority), key)).fetchone()
            if first is not None:
                firsts[priority] = min(max(first), firsts.get(priority, math.inf))
        return firsts

    def before(self, message: Message, tally: Tally) -> int | None:
        """How many in the line of ``message`` are before it, with what ``tally`` knows; None if it is not in line."""
        sql = f"SELECT seq FROM message WHERE id = ? AND {IN_LINE}"
        line = (int(message.priority), message.api_key)
        row = self._connection.execute(sql, (message.id, *line)).fetchone()
        if row is None:
            return None
        stretches = tally.stretches.get(message.line)
        if stretches is not None:
            return before_in(self._connection, line, row[0], stretches)
        return before(self._connection, line, row[0], tally.in_line.get(message.line, 0))

    def due(self, at: float) -> Counter[tuple[Priority, str]]:
        """How many of each line have their time together with one at ``at`` (UTC epoch seconds)."""
        return crowd(self._connection, at)[0]

    def then(self, message: Message) -> int:
        """How many go before ``message`` at its time, of those scheduled together with it; 0 if it has come."""
        sql = "SELECT seq FROM message WHERE id = ? AND ready = 0 AND state = 'queued'"
        row = self._connection.execute(sql, (message.id,)).fetchone()
        if row is None:
            return 0
        counts, earlier = crowd(self._connection, message.not_before, row[0])
        return ahead(counts, message.line, earlier[message.line])

    def overdue(self, now: float, limit: int) -> list[str]:
        """The ids of up to ``limit`` queued messages whose validity has ended at ``now`` (UTC epoch seconds)."""
        return [id for (id,) in self._connection.execute(_OVERDUE, (now, limit)).fetchall()]

    def forget(self, before: float, limit: int) -> int:
        """Remove text and numbers of up to ``limit`` messages that ended before ``before``; the answer is how many."""
        forgotten = self._connection.execute(self._spoken(_FORGET), {"at": before, "limit": limit}).fetchall()
        self._forgot([seq for (seq,) in forgotten])
        return len(forgotten)

    def beat(self, now: float) -> float | None:
        """Write down that messages could be sent at ``now``; the answer is when they last could, None if never."""
        row = self._connection.execute("SELECT at FROM beat").fetchone()
        self._connection.execute(_BEAT, (now,))
        return None if row is None else float(row[0])

    def find(self, id: str) -> Message | None:
        """The message ``id``, if there is one."""
        return self._one(f"{SELECT} WHERE id = ?", id)

    def find_to_change(self, id: str) -> Message | None:
        """The message ``id``, if there is one, which nobody else changes before the transaction is over."""
        return self._one(f"{SELECT} WHERE id = ? {self._dialect.lock}", id)

    def _one(self, sql: str, id: str) -> Message | None:
        row = self._connection.execute(sql, (id,)).fetchone()
        return None if row is None else record.from_row(row)

    def search(self, query: Query, slice: int | None = None) -> Page:
        """A page of the messages that ``query`` admits, newest first.

        Where no index knows all of the query, it is what is found among ``slice`` messages that an index does find.
        """
        way, floor = self._best(query, slice or slice_size(query))
        dialect = self._dialect
        sql, values = search_sql(query, dialect) if way is None else way.search_sql(query, floor, dialect)
        rows = self._connection.execute(sql, values).fetchall()
        found = rows[: query.limit]
        return Page(
            messages=tuple(record.from_row(row[1:]) for row in found),
            before=found[-1][0] if len(rows) > query.limit else floor,
        )

    def _best(self, query: Query, slice: int) -> tuple[Way | None, int | None]:
        # With the place it is followed to; None: to its end.
        best: tuple[Way | None, int | None] = (None, None)
        for way in ways(query, self._dialect):
            row = self._connection.execute(*way.floor_sql(query, slice, self._dialect)).fetchone()
            if row is None:
                return way, None
            if best[1] is None or row[0] < best[1]:
                best = (way, row[0])
        return best

    def is_in_line(self, id: str) -> bool:
        """Whether the message ``id`` is queued and its time has come."""
        sql = "SELECT 1 FROM message WHERE id = ? AND ready = 1 AND state = 'queued'"
        return self._connection.execute(sql, (id,)).fetchone() is not None

    def _spoken(self, sql: str) -> str:
        return sql.format(skip=self._dialect.skip, unlease=self._dialect.unlease)
