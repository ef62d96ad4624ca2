"""What waits: how long, for whom, how much of it, and what becomes of it after an outage."""

import time
from datetime import datetime
from typing import Any

import pytest
import pytest_twisted
import treq
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.daemon import KEY, SMS, until


async def held(server: Any, body: Any) -> Any:
    """POST /held."""
    response = await treq.post(f"{server.url}/held", json=body, headers={"X-API-Key": KEY}, persistent=False)
    return response.code, await response.json()


def seconds(moment: str) -> float:
    """UTC epoch seconds."""
    return datetime.fromisoformat(moment).timestamp()


@pytest.mark.timed
@pytest_twisted.ensureDeferred
async def test_the_time_of_arrival_is_told_when_it_is_taken_and_as_it_waits(daemon: Any, provider: Any) -> None:
    server = daemon(rate="5")
    await server.start()
    await server.post([SMS] * 5)
    await until(lambda: len(provider.stored) == 5, "it sends at its pace")
    began = time.time()
    first = await (await server.post([SMS] * 20)).json()
    last = await (await server.post(SMS)).json()
    assert last["position"] > first["position"] + 15
    assert seconds(last["eta"]) - began == pytest.approx(4, abs=0.5)
    shown = await server.shown(last["id"])
    assert shown["position"] <= last["position"]
    assert seconds(shown["eta"]) == pytest.approx(seconds(last["eta"]), abs=0.5)
    await until(lambda: len(provider.stored) == 26, "all are sent")
    sent = await server.shown(last["id"])
    assert "position" not in sent
    # Ten in a hundred of the way, and the tick that it has to wait for.
    assert seconds(sent["sent_at"]) - began == pytest.approx(seconds(last["eta"]) - began, rel=0.1, abs=0.4)


@pytest_twisted.ensureDeferred
async def test_a_key_has_a_quota_and_is_told_of_it(daemon: Any) -> None:
    server = daemon(rate="0.001", key_rate="tester=5", key_quota="1000")
    await server.start()
    response = await server.post([SMS] * 3)
    assert response.code == 200
    assert response.headers.getRawHeaders("ratelimit-policy") == ['"rate";q=5;w=60, "daily";q=1000;w=86400']
    assert response.headers.getRawHeaders("ratelimit")[0].startswith('"rate";r=2;t=')
    response = await server.post([SMS] * 3)
    if response.code == 200:  # the minute ended between the two
        response = await server.post([SMS] * 3)
    assert response.code == 429
    assert 1 <= int(response.headers.getRawHeaders("retry-after")[0]) <= 60
    assert response.headers.getRawHeaders("ratelimit")[0].startswith('"rate";r=2;t=')


@pytest.mark.timed
@pytest_twisted.ensureDeferred
async def test_the_backlog_is_limited_in_recipients(daemon: Any) -> None:
    server = daemon(rate="0.5", backlog_limit="60")
    await server.start()
    many = {"originator": "MB", "message": "x", "recipients": [31600000000 + n for n in range(50)]}
    assert (await server.post(many)).code == 200
    await until(lambda: shown_state(server, "sending", "sent"), "the first is taken")
    assert (await server.post(many)).code == 200
    response = await server.post(many)
    assert response.code == 429
    assert "50 recipients" in (await response.json())["message"]
    # The one that is being sent has its permit two seconds after the start, and the next leaves the backlog then.
    told = int(response.headers.getRawHeaders("retry-after")[0])
    assert told in (1, 2, 3)
    await deferLater(reactor, told)
    assert (await server.post(many)).code == 200


async def shown_state(server: Any, *states: str) -> bool:
    listed = await (await server.get("/sms")).json()
    return any(each["state"] in states for each in listed["sms"])


@pytest_twisted.ensureDeferred
async def test_what_should_have_gone_before_a_long_outage_waits_for_a_word(daemon: Any, provider: Any) -> None:
    server = daemon(rate="0.2", stale="0.3")
    await server.start()
    ids = [await server.accepted(reference=str(n)) for n in range(4)]
    await until(lambda: provider.stored, "one is sent")
    await server.kill()
    server.environment["SMSD_RATE"] = "50"
    await server.start()  # which takes longer than that
    new = await server.accepted()
    await until(lambda: len(provider.stored) == 2, "the new one is sent")
    assert {each["reference"] for each in provider.stored.values()} == {ids[0], new}
    listed = await (await server.get("/sms?held=yes")).json()
    assert [each["id"] for each in listed["sms"]] == ids[:0:-1]
    assert all(each["held"] and each["state"] == "queued" for each in listed["sms"])
    newer_than = listed["sms"][0]["accepted_at"]
    assert await held(server, {"action": "wait"}) == (400, (await held(server, {"action": "wait"}))[1])
    for odd in ("2126-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-24", 0, True, None):
        assert (await held(server, {"action": "send", "newer_than": odd}))[0] == 400
    assert (await held(server, {"action": "expire", "newer_than": newer_than}))[0] == 400
    code, answer = await held(server, {"action": "send", "newer_than": newer_than})
    assert (code, answer["sent"], answer["expired"]) == (200, 1, 2)
    await until(lambda: len(provider.stored) == 3, "the word is followed")
    assert [(await server.shown(id))["state"] for id in ids[1:3]] == ["expired", "expired"]


@pytest_twisted.ensureDeferred
async def test_a_finished_message_loses_text_and_number_and_keeps_its_state(daemon: Any, provider: Any) -> None:
    server = daemon(rate="20", keep="0.000001")
    await server.start()
    id = await server.accepted()

    async def is_forgotten() -> bool:
        shown = await server.shown(id)
        return bool(shown["state"] == "sent" and not shown["message"])

    await until(is_forgotten, "it is forgotten")
    assert str(SMS["recipient"]) not in (await (await server.get(f"/sms/{id}")).text())
