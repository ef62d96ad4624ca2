"""Finding, canceling and replaying messages over HTTP."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest_twisted
import treq
from twisted.internet import reactor

from smsd.client import Client
from smsd.spool.search import SLICE
from tests.integration.daemon import KEY, DaemonProcess, until
from tests.integration.provider import UNPROCESSABLE, Provider
from tests.integration.test_smsctl import Smsctl
from tests.integration.visitor import Visitor

SLOW = {"rate": "0.001"}  # nothing is sent but the first


async def ask(server: DaemonProcess, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
    response = await treq.request(
        method, server.url + path, headers={"X-API-Key": KEY}, reactor=reactor, persistent=False, **kwargs
    )
    return response.code, await response.json()


async def in_state(server: DaemonProcess, id: str, state: str) -> None:
    async def holds() -> bool:
        return bool((await server.shown(id))["state"] == state)

    await until(holds, f"{id} is {state}")


@pytest_twisted.ensureDeferred
async def test_a_waiting_sms_can_be_canceled_once_and_is_never_sent(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="5")
    await server.start()
    id = await server.accepted(send_at="2027-06-01T00:00:00Z")
    code, shown = await ask(server, "DELETE", f"/sms/{id}")
    assert (code, shown["state"]) == (200, "canceled")
    code, answer = await ask(server, "DELETE", f"/sms/{id}")
    assert (code, answer["status"], answer["state"]) == (409, "error", "canceled")
    other = await server.accepted()
    await in_state(server, other, "sent")
    assert [kept["reference"] for kept in provider.stored.values()] == [other]


@pytest_twisted.ensureDeferred
async def test_what_is_sent_cannot_be_canceled(daemon: Any) -> None:
    server = daemon(rate="5")
    await server.start()
    id = await server.accepted()
    await in_state(server, id, "sent")
    code, answer = await ask(server, "DELETE", f"/sms/{id}")
    assert (code, answer["state"]) == (409, "sent")
    assert (await ask(server, "DELETE", "/sms/01NOBODY"))[0] == 404


@pytest_twisted.ensureDeferred
async def test_sms_are_listed_newest_first_page_by_page(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    ids = [await server.accepted(reference=f"order {number}") for number in range(5)]
    code, first = await ask(server, "GET", "/sms?limit=3&originator=MB")
    assert (code, [sms["id"] for sms in first["sms"]]) == (200, ids[:1:-1])
    code, second = await ask(server, "GET", f"/sms?limit=3&originator=MB&cursor={first['cursor']}")
    assert ([sms["id"] for sms in second["sms"]], second["cursor"]) == (ids[1::-1], None)
    code, found = await ask(server, "GET", "/sms?reference=order%203")
    assert [sms["id"] for sms in found["sms"]] == [ids[3]]
    code, found = await ask(
        server, "GET", "/sms?recipient=%2B31633450007&state=queued&api_key=tester&since=2020-01-01T00:00:00Z"
    )
    assert len(found["sms"]) >= 4


@pytest_twisted.ensureDeferred
async def test_what_is_far_back_is_listed_after_a_page_with_nothing_on_it(daemon: Any, tmp_path: Path) -> None:
    server = daemon(**SLOW)
    await server.start()
    sms = {"recipient": 31633450007, "message": "One of many."}
    id = await server.accepted(originator="Shop", reference="campaign")
    for fields in ({"originator": "Shop"}, {"originator": "Bank", "reference": "campaign"}):
        assert (await ask(server, "POST", "/sms", json=[sms | fields] * (SLICE + 1)))[0] == 200
    asked = {"originator": "Shop", "reference": "campaign"}
    _, first = await ask(server, "GET", f"/sms?{urlencode(asked)}")
    assert (first["sms"], first["cursor"] is None) == ([], False)
    client = Client(reactor, server.url, KEY)
    assert [each["id"] async for each in client.list(**asked)] == [id]
    await client.close()
    visitor = Visitor(server.url)
    assert (await visitor.sign_in()).code == 303
    page = await visitor.get(f"/dashboard/messages?{urlencode(asked)}")
    assert ("Look at the older ones." in page.words, "Older" in page.words) == (True, True)
    ended = await Smsctl(server.url, tmp_path).json("list", "--originator", "Shop", "--reference", "campaign")
    assert [each["id"] for each in ended] == [id]


@pytest_twisted.ensureDeferred
async def test_a_wrong_filter_is_refused_by_name(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    code, answer = await ask(server, "GET", "/sms?state=lost&colour=red&limit=0&cursor=%21&since=yesterday")
    pointers = {error["pointer"] for error in answer["errors"]}
    assert (code, pointers) == (400, {"/state", "/colour", "/limit", "/cursor", "/since"})


@pytest_twisted.ensureDeferred
async def test_dead_letters_are_replayed_one_or_many(daemon: Any, provider: Provider) -> None:
    provider.script([UNPROCESSABLE] * 3)
    server = daemon(rate="20")
    await server.start()
    ids = [await server.accepted() for _ in range(3)]
    for id in ids:
        await in_state(server, id, "dead")
    assert "no (correct) recipients found" in (await server.shown(ids[0]))["error"]
    code, shown = await ask(server, "POST", f"/sms/{ids[0]}/replay")
    assert (code, shown["state"], shown["attempts"]) == (200, "queued", 0)
    await in_state(server, ids[0], "sent")
    assert (await ask(server, "POST", f"/sms/{ids[0]}/replay"))[0] == 409
    code, answer = await ask(server, "POST", "/sms/replay", json={"originator": "MB"})
    assert (code, answer["count"]) == (200, 2)
    for id in ids[1:]:
        await in_state(server, id, "sent")
    whats = [event["what"] for event in (await server.shown(ids[1]))["history"]]
    assert whats == ["accepted", "refused", "replayed", "sent"]
