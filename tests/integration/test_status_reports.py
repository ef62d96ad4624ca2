"""Status reports, as the provider makes them: over HTTP, late, repeated, out of order, signed or not."""

import hashlib
import time
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest_twisted
import treq

from tests.integration.daemon import DaemonProcess, until
from tests.integration.provider import Behaviour, Provider

SIGNING_KEY = "x" * 64
PUBLIC = "https://sms.example.com"


async def report(server: DaemonProcess, id: str, status: str, at: str = "10:00:00", **more: str) -> int:
    """Call as MessageBird does; the status code of the answer."""
    fields = {
        "id": "theirs",
        "reference": id,
        "recipient": "31633450007",
        "status": status,
        "statusDatetime": f"2026-11-24T{at}+00:00",
    }
    response = await treq.get(f"{server.url}/messagebird/status?{urlencode(fields | more)}", persistent=False)
    await response.content()
    return int(response.code)


async def sent(server: DaemonProcess) -> str:
    id = await server.accepted()

    async def holds() -> bool:
        return bool((await server.shown(id))["state"] == "sent")

    await until(holds, "it is sent")
    return id


@pytest_twisted.ensureDeferred
async def test_reports_in_any_order_end_in_what_is_final(daemon: Any) -> None:
    server = daemon(rate="20")
    await server.start()
    id = await sent(server)
    assert await report(server, id, "sent") == 200
    assert (await server.shown(id))["state"] == "sent"
    assert await report(server, id, "delivered", "10:00:05", mccmnc="20408") == 200
    assert await report(server, id, "buffered", "10:00:02") == 200
    assert await report(server, id, "delivery_failed", "10:00:09") == 200
    assert await report(server, id, "delivered", "10:00:05") == 200
    shown = await server.shown(id)
    assert shown["state"] == "delivered"
    assert shown["deliveries"] == [
        {
            "recipient": 31633450007,
            "status": "delivered",
            "at": "2026-11-24T10:00:05.000Z",
            "reason": None,
            "error_code": None,
            "network": "20408",
        }
    ]


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_delivered_says_why(daemon: Any) -> None:
    server = daemon(rate="20")
    await server.start()
    id = await sent(server)
    code = await report(server, id, "delivery_failed", statusReason="unknown subscriber", statusErrorCode="1")
    shown = await server.shown(id)
    assert (code, shown["state"]) == (200, "undelivered")
    assert "unknown subscriber" in shown["error"]
    assert shown["history"][-1]["what"] == "undelivered"


@pytest_twisted.ensureDeferred
async def test_a_report_that_overtakes_the_answer_waits_for_it(daemon: Any, provider: Provider) -> None:
    provider.script([Behaviour(pause_s=1.0)])
    server = daemon(rate="20")
    await server.start()
    id = await server.accepted()
    await until(provider.posts, "the provider is being called")
    assert await report(server, id, "delivered") == 200
    assert (await server.shown(id))["state"] == "delivered"


@pytest_twisted.ensureDeferred
async def test_a_report_settles_what_was_uncertain(daemon: Any, provider: Provider) -> None:
    provider.script([Behaviour(reply=b"", end="reset")])
    server = daemon(rate="20", grace="600")
    await server.start()
    id = await server.accepted()

    async def uncertain() -> bool:
        return bool((await server.shown(id))["state"] == "uncertain")

    await until(uncertain, "it is uncertain")
    assert await report(server, id, "sent") == 200
    shown = await server.shown(id)
    assert (shown["state"], shown["provider_id"]) == ("sent", "theirs")


@pytest_twisted.ensureDeferred
async def test_unknown_and_unreadable_reports_are_refused(daemon: Any) -> None:
    server = daemon()
    await server.start()
    assert await report(server, "01NOBODY", "delivered") == 404
    assert await report(server, "01NOBODY", "teleported") == 400


@pytest_twisted.ensureDeferred
async def test_with_a_signing_key_only_the_provider_is_believed(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="20", public_url=PUBLIC, signing_key=SIGNING_KEY)
    await server.start()
    id = await sent(server)
    assert provider.posts()[0].json()["reportUrl"] == f"{PUBLIC}/messagebird/status"
    assert await report(server, id, "delivered") == 401
    fields = {
        "id": "theirs",
        "reference": id,
        "recipient": "31633450007",
        "status": "delivered",
        "statusDatetime": "2026-11-24T10:00:00+00:00",
    }
    uri = f"/messagebird/status?{urlencode(fields)}"
    now = int(time.time())
    claims = {
        "iss": "MessageBird",
        "nbf": now - 1,
        "exp": now + 60,
        "jti": "1",
        "url_hash": hashlib.sha256((PUBLIC + uri).encode()).hexdigest(),
    }
    headers = {"MessageBird-Signature-JWT": jwt.encode(claims, SIGNING_KEY, algorithm="HS256")}
    response = await treq.get(server.url + uri, headers=headers, persistent=False)
    assert response.code == 200
    assert (await server.shown(id))["state"] == "delivered"
