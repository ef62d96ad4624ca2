"""Keeps messages in a PostgreSQL database, for any number of nodes at once."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.notice import Measure, unmeasured
from smsd.core.turns import AGEING_S
from smsd.ports import IEngine
from smsd.spool.jobs import Simply
from smsd.spool.postbox import Postbox
from smsd.spool.postgresql import schema
from smsd.spool.postgresql.desk import CHANNEL, PostgresDesk
from smsd.spool.postgresql.link import Link
from smsd.spool.postgresql.table import POSTGRESQL, PostgresTable
from smsd.spool.postgresql.wakeup import Wakeup
from smsd.spool.sqlspool import SqlSpool
from smsd.spool.tally import Tally
from smsd.spool.writer import IWriterReactor

#: Seconds that a lease lasts, unless set otherwise; it is renewed at a third of it.
LEASE_S: Final = 30.0


@implementer(IEngine)
class PostgresSpool(SqlSpool):
    """A spool and ledger in one database, or one schema of it, as one of its nodes."""

    trouble = psycopg.Error
    _log = Logger()

    def __init__(
        self,
        url: str,
        *,
        reactor: IWriterReactor,
        lease_s: float = LEASE_S,
        ageing_s: float = AGEING_S,
        measure: Measure = unmeasured,
    ) -> None:
        """Keep messages in the database at ``url``, as libpq takes it.

        A node that is silent for ``lease_s`` seconds counts as gone. What is ``ageing_s`` seconds in line rises, see
        core.turns.
        """
        super().__init__(reactor=reactor, measure=measure)
        self._url = url
        self._clock = reactor
        self._lease_s = lease_s
        self._ageing_s = ageing_s
        self._wakeup: Wakeup | None = None
        self._renewing = LoopingCall(self._renew)
        self._renewing.clock = reactor

    def open(self) -> None:
        """Connect, migrate the schema, start the threads; may block. Raises SpoolRefused."""
        self._writing_link, self._reading_link = self._link(), self._link()
        try:
            schema.prepare(self._writing_link.connection, schema.migrations())
        except psycopg.Error as error:
            self._writing_link.close()
            raise SpoolRefused(reason=f"PostgreSQL: {str(error).strip()}") from error
        except SpoolRefused as refused:
            self._writing_link.close()
            raise SpoolRefused(reason=f"PostgreSQL: {refused.reason}") from None
        table, self._reading_table = self._table_on(self._writing_link), self._table_on(self._reading_link)
        postbox = Postbox(self._writing_link, POSTGRESQL.skip)
        self._desk = PostgresDesk(table, postbox, self._ageing_s, lease_s=self._lease_s, monotonic=self._clock.seconds)
        self._start(self._desk, (table, postbox), (self._reading_table, Postbox(self._reading_link)))
        _ = self._renewing.start(self._lease_s / 3, now=False)

    def listen(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, on the reactor's thread, when another node may have left something to do."""
        self._wakeup = Wakeup(self._link(), CHANNEL, lambda: self._reactor.callFromThread(wake))
        self._wakeup.start()

    async def close(self) -> None:
        """Finish every job, give back every lease, and let go of the connections; does nothing if it is not open."""
        if not self._is_open:
            return
        self._renewing.stop()
        if self._wakeup is not None:
            self._wakeup.stop()
        await self._stop(self._let_go)

    def _renew(self) -> Deferred[None]:
        renewal = self._submit(Simply(write=self._desk.renew))
        # Until the server is back nothing can be renewed, and nothing is sent either.
        return renewal.addErrback(self._broke)

    def _broke(self, failure: Failure) -> None:
        if not failure.check(SpoolUnavailable):
            self._log.failure("renewing the leases broke", failure)

    def _let_go(self) -> None:
        with suppress(psycopg.Error):
            self._desk.release_all()
        self._writing_link.close()
        self._reading_link.close()

    def _link(self) -> Link:
        return Link(self._url, patience_s=self._lease_s / 3)

    def _table_on(self, link: Link) -> PostgresTable:
        return PostgresTable(link, self._lease_s)

    async def _tally(self) -> Tally:
        return await self._read(self._reading_table.tally)
