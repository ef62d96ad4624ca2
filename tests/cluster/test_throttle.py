"""One rate for all nodes: what their throttles hand out together."""

import time
from typing import Any

import psycopg
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from smsd.ports import IThrottle
from smsd.spool.postgresql import schema
from smsd.spool.postgresql.link import Link
from smsd.spool.postgresql.throttle import BEGIN_S, PostgresThrottle
from tests.integration.daemon import until
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.timed


@pytest_twisted.async_yield_fixture
async def throttles(database: str, monotonic: Any) -> Any:
    """Makes throttles of one lane, as nodes have them; all permits are there at once."""
    link = Link(database, patience_s=10)
    schema.prepare(link.connection, schema.migrations())
    link.close()
    made = []

    def make(rate: float) -> PostgresThrottle:
        made.append(PostgresThrottle(database, lane="test", rate=rate, timeout_s=1.0, reactor=monotonic))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def monotonic(reactor: Any, monkeypatch: Any) -> Any:
    monkeypatch.setattr(reactor, "seconds", time.monotonic)
    return reactor


def execute(database: str, sql: str) -> Any:
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(sql.encode())


def pending(throttle: PostgresThrottle) -> Deferred[int]:
    return Deferred.fromCoroutine(throttle.take())


@ensureDeferred
async def test_it_is_a_throttle(throttles):
    assert verifyObject(IThrottle, throttles(1))


@ensureDeferred
async def test_nodes_together_get_no_more_than_the_rate(throttles):
    nodes = [throttles(4), throttles(4), throttles(4)]
    times: list[float] = []

    async def use(throttle: PostgresThrottle) -> None:
        while len(times) < 16:
            permit = await throttle.take()
            times.append(time.monotonic())
            throttle.give_back(permit)

    users = [Deferred.fromCoroutine(use(each)) for each in nodes for _ in range(2)]
    for user in users:
        await user
    assert most_within(times, 1.0) <= 4


@ensureDeferred
async def test_a_permit_that_is_out_is_nobody_elses(throttles, database):
    one, other = throttles(1), throttles(1)
    permit = await one.take()
    waiting = pending(other)
    asked = "SELECT 1 FROM permit WHERE token IS NULL"
    one.put_back(permit)
    assert await waiting != permit
    assert execute(database, asked).fetchone() is None


@ensureDeferred
async def test_who_died_with_a_permit_is_waited_out_and_then_it_is_free(throttles, database):
    dead, other = throttles(1), throttles(1)
    permit = await dead.take()
    waiting = pending(other)
    execute(database, "UPDATE permit SET free_at = free_at - interval '10 s'")
    assert not waiting.called  # its request may be on its way
    execute(database, "UPDATE permit SET free_at = clock_timestamp()")
    taken = await waiting
    dead.give_back(permit)  # it was only stalled: the permit is not its own any more
    held = execute(database, "SELECT token, free_at > clock_timestamp() + interval '5 s' FROM permit").fetchone()
    assert held == (taken, True)


@ensureDeferred
async def test_a_permit_is_too_old_before_anybody_else_can_have_it(throttles, database):
    throttle = throttles(1)
    permit = await throttle.take()
    left_s = throttle.until(permit) - time.monotonic()
    (others_s,) = execute(
        database, "SELECT CAST(extract(epoch FROM free_at - clock_timestamp()) AS float8) FROM permit"
    ).fetchone()
    assert 0 < left_s <= BEGIN_S < others_s


@ensureDeferred
async def test_a_permit_may_be_had_ahead_of_the_time_from_which_it_is_good(throttles):
    throttle = throttles(1)
    permit = await throttle.take()
    throttle.give_back(permit)
    given_at = time.monotonic()
    ahead = await throttle.take(0.5)
    assert time.monotonic() < given_at + 0.9 < throttle.since(ahead)


@ensureDeferred
async def test_who_is_turned_away_leaves_the_permit_to_the_others(throttles):
    one, other = throttles(1), throttles(1)
    one.put_back(await one.take())  # it is connected, and will be the first to ask
    waiting = pending(one)
    left = waiting.addErrback(lambda failure: failure.trap(CancelledError))
    waiting.cancel()
    await left
    taking = pending(other)
    await until(lambda: taking.called, "it is had by another", within_s=5.0)


@ensureDeferred
async def test_a_complaint_to_one_node_eases_all_off(throttles, database):
    one, other = throttles(4), throttles(4)
    one.put_back(await one.take())
    one.ease_off()
    await until(lambda: execute(database, "SELECT 1 FROM easing").fetchone(), "it is written down")
    permits = [await other.take() for _ in range(2)]
    waiting = pending(other)
    other.put_back(permits[0])
    await waiting
    assert other.pace <= 2.0 < 4.0


@ensureDeferred
async def test_while_the_server_is_away_nobody_gets_a_permit(throttles, database, server):
    throttle = throttles(2)
    execute(database, "ALTER TABLE permit RENAME TO elsewhere")
    waiting = pending(throttle)
    failed = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'smsd' AND state LIKE 'idle%'"
    await until(lambda: execute(server.url, failed).fetchone(), "it has asked in vain")
    assert not waiting.called
    execute(database, "ALTER TABLE elsewhere RENAME TO permit")
    assert await waiting
