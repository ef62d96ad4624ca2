"""API keys are made, used for what they are for, shown, and revoked, over HTTP."""

from typing import Any

import pytest_twisted
import treq
from twisted.internet import reactor

from tests.integration.daemon import KEY, SMS, DaemonProcess

#: Nothing is sent but the first.
SLOW = {"rate": "0.001"}


async def ask(server: DaemonProcess, key: str, method: str, path: str, **given: Any) -> tuple[int, Any]:
    response = await treq.request(
        method, server.url + path, headers={"X-API-Key": key}, persistent=False, reactor=reactor, **given
    )
    return response.code, await response.json()


async def make(server: DaemonProcess, name: str, *roles: str) -> str:
    code, answer = await ask(server, KEY, "POST", "/keys", json={"name": name, "roles": list(roles)})
    assert code == 200, answer
    key: str = answer["key"]
    return key


@pytest_twisted.ensureDeferred
async def test_a_key_may_do_what_it_was_made_for_and_nothing_else(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    shop, desk, operator = [await make(server, name, name) for name in ("send", "read", "operate")]
    code, sent = await ask(server, shop, "POST", "/sms", json=SMS)
    assert code == 200
    other = await server.accepted()
    asked = [
        ("POST", "/sms", "send"),
        ("GET", "/sms", "read"),
        ("GET", f"/sms/{other}", "read"),
        ("GET", "/inbound", "read"),
        ("DELETE", f"/sms/{other}", "operate"),
        ("POST", "/sms/replay", "operate"),
        ("POST", "/held", "operate"),
        ("GET", "/keys", "operate"),
        ("POST", "/keys", "operate"),
        ("DELETE", "/keys/read", "operate"),
    ]
    for method, path, role in asked:
        for key, of in ((shop, "send"), (desk, "read"), (operator, "operate")):
            if of != role:
                code, answer = await ask(server, key, method, path)
                assert (code, answer.get("role")) == (403, role), (of, method, path)
    # Whoever sent it may ask what became of it.
    code, shown = await ask(server, shop, "GET", f"/sms/{sent['id']}")
    assert (code, shown["id"]) == (200, sent["id"])
    assert (await ask(server, desk, "GET", f"/sms/{other}"))[0] == 200
    code, canceled = await ask(server, operator, "DELETE", f"/sms/{other}")
    assert (code, canceled["state"]) == (200, "canceled")
    assert "recipient" not in canceled
    assert SMS["message"] not in str(canceled)


@pytest_twisted.ensureDeferred
async def test_keys_outlive_the_process_until_they_are_revoked(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    shop = await make(server, "shop", "send")
    assert (await ask(server, shop, "POST", "/sms", json=SMS))[0] == 200
    assert await server.terminate() == 0
    assert shop not in (server.folder / "smsd.keys.json").read_text()
    await server.start()
    _, listed = await ask(server, KEY, "GET", "/keys")
    told = {key["name"]: key for key in listed["keys"]}
    assert told["tester"]["from"] == "settings"
    assert told["shop"]["roles"] == ["send"]
    assert told["shop"]["last_used_at"] >= told["shop"]["made_at"]
    assert (await ask(server, shop, "POST", "/sms", json=SMS))[0] == 200
    assert (await ask(server, KEY, "DELETE", "/keys/shop"))[0] == 200
    assert (await ask(server, shop, "POST", "/sms", json=SMS))[0] == 401
    assert (await ask(server, KEY, "DELETE", "/keys/shop"))[0] == 404
    assert (await ask(server, KEY, "DELETE", "/keys/tester"))[0] == 404


@pytest_twisted.ensureDeferred
async def test_a_key_that_cannot_be_made_is_refused_by_everything_that_is_wrong(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    for body in ([], {}, {"name": "a b", "roles": []}, {"name": "", "roles": "send"}, {"name": "a", "roles": ["king"]}):
        assert (await ask(server, KEY, "POST", "/keys", json=body))[0] == 400, body
    code, answer = await ask(server, KEY, "POST", "/keys", json={"name": "-", "roles": ["send", "send"], "colour": 1})
    assert {error["pointer"] for error in answer["errors"]} == {"/name", "/roles", "/colour"}
    assert (await ask(server, KEY, "POST", "/keys", json={"name": "tester", "roles": ["send"]}))[0] == 409
    operator = await make(server, "operator", "operate")
    code, answer = await ask(server, operator, "POST", "/keys", json={"name": "eye", "roles": ["operate", "read"]})
    assert (code, answer["role"]) == (403, "read")


@pytest_twisted.ensureDeferred
async def test_an_address_that_guesses_is_held_off_but_not_the_keys_that_are_known_from_there(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    unknown = await make(server, "unknown", "send")
    codes = [(await ask(server, f"guess {n}", "POST", "/sms", json=SMS))[0] for n in range(12)]
    assert (codes[0], codes[-1]) == (401, 429)
    response = await server.post(SMS, X_API_Key=unknown)
    assert response.code == 429
    assert 1 <= int(response.headers.getRawHeaders("retry-after")[0]) <= 300
    assert (await server.post(SMS)).code == 200
