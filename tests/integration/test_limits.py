import resource
import sqlite3
from contextlib import closing
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from tests.integration.daemon import SMS, until
from tests.integration.provider import Behaviour, Provider


@pytest_twisted.ensureDeferred
async def test_beyond_the_backlog_limit_is_429_with_a_time_to_try_again(daemon: Any) -> None:
    server = daemon(backlog_limit="3", rate="0.01", messagebird_url="http://127.0.0.1:9", retry_base="60")
    await server.start()
    codes = [(await server.post()).code for _ in range(5)]
    assert codes[:3] == [200, 200, 200]
    assert 429 in codes
    response = await server.post()
    assert response.code == 429
    assert int(response.headers.getRawHeaders("Retry-After")[0]) >= 1
    assert '"dropped"' in server.output.read_text()


@pytest_twisted.ensureDeferred
async def test_the_memory_engine_takes_a_hundred_and_drops_the_rest_loudly(daemon: Any) -> None:
    server = daemon(spool="memory:", rate="0.001", messagebird_url="http://127.0.0.1:9", retry_base="60")
    await server.start()
    codes = [(await server.post()).code for _ in range(103)]
    assert codes.count(200) in (100, 101)  # the first may be on its way already
    assert codes[-1] == 429
    assert '"dropped"' in server.output.read_text()


@pytest_twisted.ensureDeferred
async def test_no_line_of_the_log_holds_a_number_a_text_or_a_key(daemon: Any) -> None:
    server = daemon(rate="20")
    await server.start()
    id = await server.accepted(message="Secret words 4711")
    await server.post(SMS, X_API_Key="a-wrong-key")
    await until(lambda: id in server.output.read_text(), "it is sent")
    assert await server.terminate() == 0
    log = server.output.read_text()
    assert id in log
    for secret in ("31633450007", "Secret words", "a-client-key", "live_key", "a-wrong-key"):
        assert secret not in log


@pytest_twisted.ensureDeferred
async def test_the_backlog_limit_holds_when_many_come_at_once(daemon: Any) -> None:
    server = daemon(backlog_limit="5", rate="0.01", retry_base="60")
    await server.start()
    responses = await gatherResults([Deferred.fromCoroutine(server.post()) for _ in range(100)])
    codes = [response.code for response in responses]
    assert (codes.count(200), codes.count(429)) == (5, 95)


@pytest_twisted.ensureDeferred
async def test_position_and_eta_follow_the_priority(daemon: Any) -> None:
    server = daemon(rate="0.1")
    await server.start()
    for _ in range(5):
        await server.accepted()
    await server.accepted(send_at="2027-06-01T00:00:00Z")
    high = await (await server.post(SMS | {"priority": "high"})).json()
    normal = await (await server.post()).json()
    assert (high["position"], normal["position"]) == (3, 7)  # two are on their way out already


@pytest_twisted.ensureDeferred
async def test_a_spool_that_is_locked_is_503_and_nothing_is_lost(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="20")
    await server.start()
    with closing(sqlite3.connect(server.spool, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        response = await server.post()
        assert response.code == 503
        assert response.headers.getRawHeaders("Retry-After")

        async def says_so() -> bool:
            return (await server.get("/ready")).code == 503

        await until(says_so, "/ready tells of it")
        other.execute("ROLLBACK")
    id = await server.accepted()
    await until(lambda: provider.stored, "what was accepted is sent")
    assert [kept["reference"] for kept in provider.stored.values()] == [id]

    async def all_is_well() -> bool:
        return (await server.get("/ready")).code == 200

    await until(all_is_well, "/ready tells that it is over")


@pytest_twisted.ensureDeferred
async def test_a_disk_that_is_full_is_503_and_ready_tells_of_it_until_there_is_room(
    daemon: Any, provider: Provider
) -> None:
    server = daemon(rate="0.01")
    await server.start()
    # What a full disk does to a write, done to this process alone: no file may grow beyond 300,000 octets.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))

    async def is_full() -> bool:
        return (await server.post([SMS] * 500)).code == 503

    await until(is_full, "there is no room")
    response = await server.get("/ready")
    checks = (await response.json())["checks"]
    assert (response.code, checks["accepting"]) == (503, "ok")
    assert "full" in checks["spool"] or "I/O error" in checks["spool"]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    await server.accepted()
    assert (await server.get("/ready")).code == 200


@pytest_twisted.ensureDeferred
async def test_it_stops_even_though_an_outcome_cannot_be_written(daemon: Any, provider: Provider) -> None:
    provider.script([Behaviour(pause_s=1.0)])
    server = daemon(rate="20", grace="1")
    await server.start()
    id = await server.accepted()
    await until(provider.posts, "the provider is being called")
    with closing(sqlite3.connect(server.spool, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert await server.terminate() == 0
        other.execute("ROLLBACK")
    await server.start()

    async def sent() -> bool:
        return bool((await server.shown(id))["state"] == "sent")

    await until(sent, "the provider was asked and had it")
    assert len(provider.posts()) == 1
