"""Reads and writes the tables ``callback`` and ``inbound``."""

from collections.abc import Sequence, Set
from typing import Any, Final

from smsd.core.address import Msisdn
from smsd.core.callback import Callback
from smsd.core.receiver import origin_of
from smsd.core.report import Inbound
from smsd.core.trace import Traceparent
from smsd.spool.dialect import Connection

_FIELDS: Final = "id, url, body, api_key, created_at, attempts, not_before, traceparent"
_HOSTS: Final = """
    WITH RECURSIVE each (host) AS (
        SELECT min(host) FROM callback
        UNION ALL
        SELECT (SELECT min(host) FROM callback WHERE host > each.host) FROM each WHERE host IS NOT NULL
    ) SELECT host FROM each WHERE host IS NOT NULL"""
_DUE: Final = f"SELECT {_FIELDS} FROM callback WHERE host = ? AND not_before <= ? ORDER BY not_before LIMIT ?"
_ADD: Final = f"INSERT INTO callback ({_FIELDS}, host) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_RECEIVE: Final = """
    INSERT INTO inbound (id, originator, recipient, body, received_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""


class Postbox:
    """What receivers are owed and what people sent us, behind one connection; raises what its driver does."""

    def __init__(self, connection: Connection, skip: str = "") -> None:
        """``skip`` ends a question for callbacks that are about to be taken, see Dialect."""
        self._connection = connection
        self._due = f"{_DUE} {skip}"

    def add(self, callbacks: Sequence[Callback]) -> None:
        """Queue ``callbacks``; one that is queued already stays as it is."""
        for callback in callbacks:
            values = (*_row(callback), origin_of(callback.url))
            self._connection.execute(_ADD, values)

    def take(self, now: float, until: float, limit: int, per_host: int, without: Set[str]) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``, not due again before ``until``; see ICallbackQueue."""
        taken: list[Callback] = []
        for (host,) in self._connection.execute(_HOSTS).fetchall():
            if host not in without:
                room = min(per_host, limit - len(taken))
                taken += [_callback(row) for row in self._connection.execute(self._due, (host, now, room)).fetchall()]
        for callback in taken:
            self._connection.execute("UPDATE callback SET not_before = ? WHERE id = ?", (until, callback.id))
        return taken

    def settle(self, callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``, or nothing."""
        if after is None:
            self._connection.execute("DELETE FROM callback WHERE id = ?", (callback.id,))
            return
        sql = "UPDATE callback SET attempts = ?, not_before = ? WHERE id = ?"
        self._connection.execute(sql, (after.attempts, after.not_before, callback.id))

    def silence(self, id: str) -> None:
        """Forget every callback of message ``id``."""
        # Their ids begin with it, and sort between it with a hyphen and with what follows a hyphen.
        self._connection.execute("DELETE FROM callback WHERE id > ? AND id < ?", (f"{id}-", f"{id}."))

    def receive(self, inbound: Inbound, callback: Callback | None) -> bool:
        """Keep ``inbound`` and the callback about it; False, and nothing, if it was kept before."""
        row = (inbound.id, inbound.originator, inbound.recipient.digits, inbound.body, inbound.received_at)
        kept = self._connection.execute(_RECEIVE, row)
        if not kept.rowcount:
            return False
        self.add([] if callback is None else [callback])
        return True

    def received(self, limit: int, before: int | None) -> tuple[list[Inbound], int | None]:
        """A page of what was received; see ICallbackQueue."""
        rows = self._connection.execute(
            "SELECT seq, id, originator, recipient, body, received_at FROM inbound"
            " WHERE seq < coalesce(?, 9223372036854775807) ORDER BY seq DESC LIMIT ?",
            (before, limit + 1),
        ).fetchall()
        found = [
            Inbound(id=id, originator=originator, recipient=Msisdn(recipient), body=body, received_at=at)
            for _, id, originator, recipient, body, at in rows[:limit]
        ]
        return found, rows[limit - 1][0] if len(rows) > limit else None

    def forget(self, before: float, limit: int) -> int:
        """Remove up to ``limit`` incoming messages from before ``before``; the answer is how many."""
        sql = "DELETE FROM inbound WHERE seq IN (SELECT seq FROM inbound WHERE received_at < ? LIMIT ?)"
        return self._connection.execute(sql, (before, limit)).rowcount


def _row(callback: Callback) -> tuple[Any, ...]:
    times = (callback.created_at, callback.attempts, callback.not_before)
    trace = "" if callback.trace is None else callback.trace.text
    return callback.id, callback.url, callback.body, callback.api_key, *times, trace


def _callback(row: Sequence[Any]) -> Callback:
    id, url, body, api_key, created_at, attempts, not_before, traceparent = row
    return Callback(
        id=id,
        url=url,
        body=body,
        api_key=api_key,
        created_at=created_at,
        attempts=attempts,
        not_before=not_before,
        trace=Traceparent(traceparent) if traceparent else None,
    )
