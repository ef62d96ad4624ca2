"""What becomes of the nodes when the server does not answer, is older than they are, or is not theirs."""

import psycopg
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.settle import begin
from smsd.spool.postgresql import schema
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.postgresql.link import Link
from tests import postgresql
from tests.integration.daemon import until
from tests.messages import NOW, ROOM, sms


def execute(database, sql):
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(sql)


@ensureDeferred
async def test_while_the_server_is_away_every_call_fails_and_then_all_goes_on(reactor):
    with postgresql.server() as server:
        node = PostgresSpool(server.database(), reactor=reactor)
        node.open()
        waiting = sms()
        await node.append([waiting], ROOM)
        [lease] = await node.lease(NOW, 1)
        server.stop()
        calls = (
            node.append([sms()], ROOM),
            node.lease(NOW, 1),
            node.store(lease, begin(waiting, NOW, "test")),
            node.standing(),
            node.find(waiting.id),
            node.take_callbacks(NOW, NOW, 1, 1, frozenset()),
        )
        for call in calls:
            with pytest.raises(SpoolUnavailable):
                await call
        server.start()
        assert (await node.standing()).states[State.QUEUED] == 1
        await node.store(lease, begin(waiting, NOW, "test"))
        assert (await node.append([sms()], ROOM)).first == 0
        await node.close()


@ensureDeferred
async def test_a_connection_that_was_ended_is_made_anew_without_anybody_noticing(nodes, database, server):
    node = nodes()
    await node.append([sms()], ROOM)
    execute(server.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smsd'")
    await until(lambda: not alive(server), "both connections are gone")
    assert (await node.append([sms()], ROOM)).first == 1
    assert (await node.standing()).states[State.QUEUED] == 2


def alive(server):
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'smsd'"
    return execute(server.url, sql).fetchone()[0]


@ensureDeferred
async def test_a_release_does_not_fail_though_the_server_is_away(reactor):
    with postgresql.server() as server:
        node = PostgresSpool(server.database(), reactor=reactor)
        node.open()
        await node.append([sms()], ROOM)
        [lease] = await node.lease(NOW, 1)
        server.stop()
        await node.release(lease)
        await node.close()
        server.start()


def test_whoever_opens_first_migrates_and_a_newer_schema_is_refused(database, reactor):
    link = Link(database, patience_s=10)
    schema.prepare(link.connection, schema.migrations())
    schema.prepare(link.connection, schema.migrations())
    execute(database, "INSERT INTO smsd_schema VALUES (99)")
    known = len(schema.migrations())
    with pytest.raises(SpoolRefused, match=f"version 99, this smsd knows {known}: upgrade smsd"):
        PostgresSpool(database, reactor=reactor).open()
    link.close()


def test_a_migration_that_fails_changes_nothing(database):
    link = Link(database, patience_s=10)
    with pytest.raises(psycopg.Error):
        schema.prepare(link.connection, (*schema.migrations(), "NONSENSE"))
    schema.prepare(link.connection, schema.migrations())
    link.close()


def test_the_tables_of_another_program_are_left_alone(database, reactor):
    execute(database, "CREATE TABLE message (id TEXT)")
    with pytest.raises(SpoolRefused, match="another program"):
        PostgresSpool(database, reactor=reactor).open()


def test_a_server_that_is_not_there_is_refused_in_words(reactor):
    with pytest.raises(SpoolRefused, match="PostgreSQL: "):
        PostgresSpool("postgresql://127.0.0.1:1/x", reactor=reactor).open()


@ensureDeferred
async def test_what_the_server_quotes_of_a_row_is_told_to_nobody(database, reactor):
    node = PostgresSpool(database, reactor=reactor)
    node.open()
    execute(database, "ALTER TABLE message ADD CONSTRAINT short CHECK (length(body) < 5)")
    with pytest.raises(ValueError, match="violates check constraint") as refused:
        await node.append([sms(body="a secret text")], ROOM)
    assert "secret" not in str(refused.value)
    assert "31633450007" not in str(refused.value)
    await node.close()
