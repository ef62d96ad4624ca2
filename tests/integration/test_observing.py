"""The daemon with everything that watches it: what it tells, and that nothing of it is ever in the way."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.threads import deferToThread

from tests.integration.bucket import AWS, client, letters
from tests.integration.daemon import SMS, until
from tests.integration.provider import UNPROCESSABLE, WRONG_KEY
from tests.integration.sentry_server import SentryServer


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    server = SentryServer()
    yield server
    server.close()


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    """Where Datadog's agent would listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        yield listening


def datagrams(agent: socket.socket) -> str:
    """All that came in until now."""
    found = []
    while True:
        try:
            found.append(agent.recv(65536).decode())
        except BlockingIOError:
            return "\n".join(found)


@pytest_twisted.ensureDeferred
async def test_a_refused_message_is_found_in_s3_in_sentry_and_in_datadog(
    daemon: Any, provider: Any, sentry: SentryServer, agent: socket.socket, s3: str
) -> None:
    provider.script([UNPROCESSABLE])
    server = daemon(rate="20", archive="s3://letters/here")
    server.environment |= AWS | {
        "AWS_ENDPOINT_URL": s3,
        "SENTRY_DSN": sentry.dsn,
        "DD_AGENT_HOST": "127.0.0.1",
        "DD_DOGSTATSD_PORT": str(agent.getsockname()[1]),
    }
    await server.start()
    id = await server.accepted()
    event = await deferToThread(sentry.event)
    assert event["tags"]["id"] == id
    assert SMS["message"] not in json.dumps(event)
    assert str(SMS["recipient"]) not in json.dumps(event)
    [key] = await until(lambda: deferToThread(letters, s3), "the letter is there")
    assert key.startswith("here/dead/")
    assert key.endswith(f"{id}.json")
    letter = json.loads(client(s3).get_object(Bucket="letters", Key=key)["Body"].read())
    assert (letter["id"], letter["message"]) == (id, SMS["message"])
    assert "no (correct) recipients found" in letter["error"]
    seen: list[str] = []
    await until(lambda: seen.append(datagrams(agent)) or "smsd.dead:1" in "\n".join(seen), "it is counted")
    assert await server.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_a_letter_waits_in_the_spool_for_an_archive_that_is_away_also_after_a_kill(
    daemon: Any, provider: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "letters"
    folder.write_text("not a folder")
    provider.script([UNPROCESSABLE])
    server = daemon(rate="20", archive=f"file://{folder}")
    await server.start()
    id = await server.accepted()
    await until(lambda: "The archive cannot be used" in server.output.read_text(), "it says that it cannot")
    await server.kill()
    folder.unlink()
    await server.start()
    [letter] = await until(lambda: list(folder.rglob("*.json")), "the letter is there")
    assert letter.name == f"{id}.json"


@pytest_twisted.ensureDeferred
async def test_metrics_parse_and_count(daemon: Any, provider: Any) -> None:
    server = daemon(rate="20")
    await server.start()
    await server.accepted()
    await until(lambda: provider.stored, "it is sent")

    async def values() -> dict[str, float]:
        text = await (await server.get("/metrics")).text()
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        return {each.name + "".join(sorted(each.labels.values())): each.value for each in samples}

    async def is_sent() -> bool:
        return (await values()).get("smsd_depthnormalsent") == 1

    await until(is_sent, "it shows")
    found = await values()
    assert found["smsd_accepted_totaltester"] == 1
    assert found["smsd_sent_totalmessagebirdtester"] == 1
    assert found["smsd_accept_seconds_count"] == 1
    assert found["smsd_commit_seconds_count"] >= 3
    assert found["smsd_throttle_wait_seconds_count"] == 1
    assert found["smsd_pace_allowed"] == 20


@pytest_twisted.ensureDeferred
async def test_ready_tells_each_check(daemon: Any, provider: Any) -> None:
    provider.script([WRONG_KEY] * 50)
    server = daemon(rate="20")
    await server.start()
    response = await server.get("/ready")
    assert response.code == 200
    told = await response.json()
    assert told["checks"]["provider"] == told["checks"]["spool"] == told["checks"]["clock"] == "ok"
    await server.accepted()

    async def is_held() -> bool:
        return (await server.get("/ready")).code == 503

    await until(is_held, "it is held")
    told = await (await server.get("/ready")).json()
    assert "incorrect access_key" in told["checks"]["provider"]
    assert told["checks"]["accepting"] == told["checks"]["engine"] == "ok"


@pytest_twisted.ensureDeferred
async def test_what_sentry_did_not_want_shows_in_ready_and_in_the_metrics(
    daemon: Any, provider: Any, sentry: SentryServer
) -> None:
    provider.script([UNPROCESSABLE])
    sentry.answer = 500
    server = daemon(rate="20")
    server.environment["SENTRY_DSN"] = sentry.dsn
    await server.start()
    await server.accepted()

    async def is_told() -> bool:
        response = await server.get("/ready")
        words: str = (await response.json())["checks"]["reporters"]
        return response.code == 200 and words == "sentry did not get 1 notices"

    await until(is_told, "/ready tells of it")
    assert 'smsd_reporter_drops_total{reporter="sentry"} 1.0' in await (await server.get("/metrics")).text()
