from typing import Any

import pytest_twisted

from tests.integration.daemon import SMS


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
    assert await server.terminate() == 0
    log = server.output.read_text()
    assert id in log
    for secret in ("31633450007", "Secret words", "a-client-key", "live_key", "a-wrong-key"):
        assert secret not in log
