"""Reads and writes messages in a PostgreSQL table, many rows in a statement."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority
from smsd.spool import record
from smsd.spool.dialect import Dialect, Part
from smsd.spool.jobs import Change
from smsd.spool.places import IN_LINE
from smsd.spool.postgresql.link import Link
from smsd.spool.table import ID, SELECT, Table
from smsd.spool.tally import Tally

#: Nodes share the rows of the table tally by so many; more nodes only wait for each other a little.
SHARDS: Final = 16

POSTGRESQL: Final = Dialect(
    has_recipient="""(recipients ->> 0 = :recipient
                      OR EXISTS (SELECT 1 FROM recipient WHERE msisdn = :recipient AND recipient.seq = message.seq))""",
    # A message to one has its recipient in an index; one to many has them in a table of their own.
    by_recipient=(
        Part(where="recipients ->> 0 = :recipient"),
        Part(source="recipient", where="msisdn = :recipient"),
    ),
    newest="SELECT seq FROM ({} ORDER BY seq DESC LIMIT :slice) AS part",  # else all of it is read, and sorted
    source="message",
    is_on_way="seq = ANY (ARRAY(SELECT seq FROM way))",  # taken for few: always by the primary key
    lock="FOR UPDATE",
    skip="FOR UPDATE SKIP LOCKED",
    unlease=", token = NULL, leased_until = NULL",
)
_COPY: Final = f"COPY message ({', '.join((*record.FIELDS, 'ready'))}) FROM STDIN"
_TO_MANY: Final = """
    INSERT INTO recipient SELECT each.value, message.seq
    FROM message, json_array_elements_text(message.recipients) AS each (value) WHERE message.id = ANY (?)"""
_CHANGING: Final = (*record.LIFE, "ready")
#: The fields of LIFE that are no text.
_TYPES: Final = {
    **dict.fromkeys(
        ("valid_until", "changed_at", "not_before", "attempted_at", "sent_at", "attend_at", "tried_since"), "float8"
    ),
    **dict.fromkeys(("attempts", "asks_first", "portion", "is_held", "ready"), "integer"),
}
_GIVEN: Final = ", ".join(f"CAST(? AS {_TYPES.get(each, 'text')}[])" for each in ("id", "was", *_CHANGING))
_UPDATE: Final = f"""
    UPDATE message SET {", ".join(f"{each} = given.{each}" for each in _CHANGING)},
        token = CASE WHEN {{keeps}} THEN message.token END,
        leased_until = CASE WHEN {{keeps}} THEN {{until}} END
    FROM unnest({_GIVEN}{{token}}) AS given (id, was, {", ".join(_CHANGING)}{{named}})
    WHERE message.id = given.id AND message.state = given.was {{fenced}}
    RETURNING message.id, message.seq"""
_AMEND: Final = _UPDATE.format(
    keeps="given.state = given.was", until="message.leased_until", token="", named="", fenced=""
)
#: The token is the fence: who was leased the message after us has another one.
_STORE: Final = _UPDATE.format(
    keeps="given.state = 'sending'",
    until="clock_timestamp() + make_interval(secs => ?)",
    token=", CAST(? AS bigint[])",
    named=", token",
    fenced="AND message.token = given.token",
)
_FREE: Final = "(leased_until IS NULL OR leased_until <= clock_timestamp())"
_LINE: Final = f"{SELECT} WHERE {IN_LINE} AND {_FREE} ORDER BY seq LIMIT ? FOR UPDATE SKIP LOCKED"
_IN_DOUBT: Final = f"""
    {SELECT} WHERE ready = 1 AND state = 'uncertain' AND {_FREE}
    ORDER BY priority, seq LIMIT ? FOR UPDATE SKIP LOCKED"""
_TO_ATTEND: Final = f"""
    {SELECT} WHERE state = ? AND attend_at <= ? AND {_FREE} ORDER BY attend_at LIMIT ? FOR UPDATE SKIP LOCKED"""
_ABANDONED: Final = f"{SELECT} WHERE state = 'sending' AND {_FREE} FOR UPDATE SKIP LOCKED"
_GRANT: Final = """
    UPDATE message SET token = nextval('lease_token'), leased_until = clock_timestamp() + make_interval(secs => ?)
    WHERE id = ANY(?) RETURNING id, token"""
_LEASED: Final = "FROM unnest(CAST(? AS text[]), CAST(? AS bigint[])) AS held (id, token)"
#: Only what nobody may have taken meanwhile: the server's clock has not passed the end of the lease.
_RENEW: Final = f"""
    UPDATE message SET leased_until = clock_timestamp() + make_interval(secs => ?) {_LEASED}
    WHERE message.id = held.id AND message.token = held.token RETURNING message.id"""
_RELEASE: Final = f"""
    UPDATE message SET token = NULL, leased_until = NULL {_LEASED}
    WHERE message.id = held.id AND message.token = held.token"""
_TALLY: Final = """
    SELECT what, priority, api_key, CAST(sum(number) AS bigint) FROM tally GROUP BY 1, 2, 3 HAVING sum(number) <> 0"""
_COUNT: Final = """
    INSERT INTO tally SELECT ?, what, priority, api_key, number
    FROM unnest(CAST(? AS text[]), CAST(? AS integer[]), CAST(? AS text[]), CAST(? AS bigint[]))
        AS given (what, priority, api_key, number) ORDER BY what, priority, api_key
    ON CONFLICT (shard, what, priority, api_key) DO UPDATE SET number = tally.number + excluded.number"""
_LOCKS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(CAST(? AS text[])) AS name"


class PostgresTable(Table):
    """The messages behind one link; every method raises psycopg.Error."""

    def __init__(self, link: Link, lease_s: float) -> None:
        """A lease lasts ``lease_s`` seconds by the server's clock, unless it is renewed."""
        super().__init__(link, POSTGRESQL)
        self._link = link
        self._lease_s = lease_s
        self._shard: int | None = None

    def transaction(self) -> AbstractContextManager[None]:
        """What is done within is done wholly or not at all."""
        return self._link.transaction()

    def insert(self, rows: Sequence[record.Row]) -> None:
        """Add ``rows``, in their order."""
        if rows:
            self._link.copy(_COPY, rows)
        to_many = [row[ID] for row in rows if record.recipients(row) > 1]
        if to_many:
            self._link.execute(_TO_MANY, (to_many,))

    def _forgot(self, places: Sequence[int]) -> None:
        """Remove the numbers of the messages at ``places`` from their own table."""
        self._link.execute("DELETE FROM recipient WHERE seq = ANY (?)", (list(places),))

    def next_place(self) -> None:
        """Nobody knows: other nodes insert as well."""

    def update(self, changes: Sequence[Change]) -> Mapping[str, int]:
        """Make ``changes``, each of another id; see Table. A lease on what leaves its state is lost."""
        if not changes:
            return {}
        return self._moved(_AMEND, *_columns(changes))

    def store(self, tokens: Sequence[int], changes: Sequence[Change]) -> Mapping[str, int]:
        """Make ``changes``, each under the lease of its token; the answer is the places of those whose lease held.

        What is being sent stays leased, anew for the whole time.
        """
        return self._moved(_STORE, self._lease_s, *_columns(changes), list(tokens))

    def grant(self, messages: Sequence[Message]) -> dict[str, int]:
        """Lease ``messages``, which this transaction has locked; the answer is the tokens by their ids."""
        rows = self._link.execute(_GRANT, (self._lease_s, [each.id for each in messages]))
        return dict(rows.fetchall())

    def renew(self, leases: dict[str, int]) -> set[str]:
        """Have ``leases``, tokens by id, last anew; the answer is the ids of those that are held still."""
        return self._ids(_RENEW, self._lease_s, list(leases), list(leases.values()))

    def release(self, leases: dict[str, int]) -> None:
        """End those of ``leases``, tokens by id, that are held still."""
        self._link.execute(_RELEASE, (list(leases), list(leases.values())))

    def line(self, priority: Priority, api_key: str, *, limit: int, without: Container[str]) -> Iterator[Message]:
        """The first ``limit`` in line of ``priority`` and ``api_key``, oldest first, that no node leases."""
        yield from self._free(_LINE, int(priority), api_key, limit)

    def in_doubt(self, *, limit: int, without: Container[str]) -> list[Message]:
        """The first ``limit`` uncertain messages whose time has come, that no node leases."""
        return list(self._free(_IN_DOUBT, limit))

    def to_attend(self, state: State, now: float, *, limit: int, without: Container[str]) -> list[Message]:
        """The first ``limit`` in ``state`` whose ``attend_at`` has come at ``now`` (epoch seconds), leased by none."""
        return list(self._free(_TO_ATTEND, state.value, now, limit))

    def abandoned(self, *, without: Container[str]) -> list[Message]:
        """Every message that is being sent under a lease that has ended, passing over ids ``without``."""
        return [each for each in self._free(_ABANDONED) if each.id not in without]

    def tally(self) -> Tally:
        """How many messages there are, of all nodes."""
        found = {(what, priority, key): n for what, priority, key, n in self._link.execute(_TALLY).fetchall()}
        return Tally(
            depth={
                (state, priority): found.get((state.value, int(priority), ""), 0)
                for state in State
                for priority in Priority
            },
            in_line={(Priority(each), key): n for (what, each, key), n in found.items() if what == "line"},
            recipients=found.get(("recipients", 0, ""), 0),
        )

    def count(self, more: Tally) -> None:
        """Add ``more``, as the last thing in the transaction: whoever shares the shard waits for its end."""
        rows: Counter[tuple[str, int, str]] = Counter({("recipients", 0, ""): more.recipients})
        rows.update({(state.value, int(each), ""): number for (state, each), number in more.depth.items()})
        rows.update({("line", int(priority), key): number for (priority, key), number in more.in_line.items()})
        given = [(*key, number) for key, number in rows.items() if number]
        if self._shard is None:
            self._shard = int(self._link.execute("SELECT nextval('shard')").fetchall()[0][0]) % SHARDS
        if given:
            self._link.execute(_COUNT, (self._shard, *map(list, zip(*given, strict=True))))

    def lock(self, names: set[str]) -> None:
        """Have what is called ``names`` to this transaction alone, of all nodes."""
        if names:
            self._link.execute(_LOCKS, (sorted(names),))

    def lock_messages(self, ids: set[str]) -> None:
        """Have the messages ``ids`` to this transaction alone, of all nodes."""
        if len(ids) > 1:
            self._link.execute("SELECT FROM message WHERE id = ANY(?) ORDER BY id FOR UPDATE", (sorted(ids),))

    def notify(self, channel: str) -> None:
        """Wake who listens on ``channel``, once the transaction is committed."""
        self._link.execute("SELECT pg_notify(?, '')", (channel,))

    def _free(self, sql: str, *values: Any) -> Iterator[Message]:
        return (record.from_row(row) for row in self._link.execute(sql, values).fetchall())

    def _moved(self, sql: str, *values: Any) -> dict[str, int]:
        return dict(self._link.execute(sql, values).fetchall())

    def _ids(self, sql: str, *values: Any) -> set[str]:
        return {id for (id,) in self._link.execute(sql, values).fetchall()}


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
