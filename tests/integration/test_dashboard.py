"""The dashboard over HTTP: who comes in, what is seen, and what is done."""

import json
from pathlib import Path
from typing import Any

import pytest_twisted
import treq
from twisted.internet import reactor

from tests.integration.daemon import KEY, DaemonProcess, free_port, until
from tests.integration.provider import UNPROCESSABLE, WRONG_KEY, Provider
from tests.integration.visitor import Visitor

#: Nothing is sent but the first.
SLOW = {"rate": "0.001"}


async def inside(server: DaemonProcess) -> Visitor:
    visitor = Visitor(server.url)
    assert (await visitor.sign_in()).code == 303
    return visitor


async def in_state(server: DaemonProcess, id: str, state: str) -> None:
    async def holds() -> bool:
        return bool((await server.shown(id))["state"] == state)

    await until(holds, f"{id} is {state}")


@pytest_twisted.ensureDeferred
async def test_nobody_sees_anything_without_a_key(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    visitor = Visitor(server.url)
    front = await visitor.get("/")
    assert front.code == 200
    assert "Sign in" in front.words
    for path in ("/dashboard/messages", "/dashboard/messages/X", "/dashboard/live", "/dashboard/do/replay"):
        assert (await visitor.get(path)).code == 401, path
    assert (await visitor.post("/dashboard/do/replay")).code == 401
    wrong = await visitor.sign_in("no key")
    assert (wrong.code, visitor.cookie) == (401, "")
    assert "That is no key" in wrong.words
    answer = await visitor.get("/", Accept="application/json")
    assert json.loads(answer.source)["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_the_cookie_and_the_pages_are_kept_from_other_sites(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    visitor = Visitor(server.url)
    signed_in = await visitor.sign_in()
    [cookie] = signed_in.headers.getRawHeaders("set-cookie")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    front = await visitor.get("/")
    [policy] = front.headers.getRawHeaders("content-security-policy")
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert front.headers.getRawHeaders("cache-control") == ["no-store"]
    assert "http://" not in front.source.replace(server.url, "")
    assert "style=" not in front.source
    id = await server.accepted()
    forged = await visitor.post("/dashboard/do/cancel", id=id, csrf="made up")
    assert forged.code == 403
    assert (await server.shown(id))["state"] == "queued"
    foreign = await visitor.post("/dashboard/sign-in", key=KEY)
    assert foreign.code == 303
    response = await treq.post(
        server.url + "/dashboard/sign-in",
        data={"key": KEY},
        headers={"Sec-Fetch-Site": "cross-site"},
        persistent=False,
        reactor=reactor,
    )
    assert response.code == 403


@pytest_twisted.ensureDeferred
async def test_whoever_signs_out_is_out(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    visitor = await inside(server)
    cookie, front = visitor.cookie, await visitor.get("/")
    assert (await visitor.post("/dashboard/sign-out", csrf=front.hidden["csrf"])).code == 303
    visitor.cookie = cookie
    assert "Sign in" in (await visitor.get("/")).words


@pytest_twisted.ensureDeferred
async def test_the_front_page_says_what_waits_why_and_until_when(daemon: Any, provider: Provider) -> None:
    provider.script([WRONG_KEY] * 100)
    server = daemon(rate="20")
    await server.start()
    visitor = await inside(server)
    assert "All is well: nothing waits." in (await visitor.get("/")).words
    for priority in ("high", "low", "low"):
        await server.accepted(priority=priority)

    async def is_held() -> bool:
        words = (await visitor.get("/")).words
        return "Held: " in words and "3 wait" in words  # the one that was tried is back in line

    await until(is_held, "the page says that the gateway is held")
    words = (await visitor.get("/")).words
    assert "Look at the key and the balance" in words
    assert "messagebird held" in words
    assert "+31633450007" in words


@pytest_twisted.ensureDeferred
async def test_figures_are_told_live(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    visitor = await inside(server)
    response = await treq.get(
        server.url + "/dashboard/live", headers={"Cookie": visitor.cookie}, persistent=False, reactor=reactor
    )
    assert response.headers.getRawHeaders("content-type") == ["text/event-stream"]
    heard = bytearray()
    over = treq.collect(response, heard.extend)
    await until(lambda: b"All is well" in heard, "the first event comes")
    id = await server.accepted()
    await until(lambda: id.encode() in heard, "the new message is told")
    front = await visitor.get("/")
    await visitor.post("/dashboard/sign-out", csrf=front.hidden["csrf"])
    await over
    assert bytes(heard).endswith(b"event: over\ndata: sign in again\n\n")


@pytest_twisted.ensureDeferred
async def test_a_message_is_found_by_id_number_and_reference_and_shown_whole(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    id = await server.accepted(recipient=31611111111, reference="order 7781", message="Hello <b>you</b>")
    other = await server.accepted(recipient=31622222222, send_at="2027-06-01T00:00:00Z")
    visitor = await inside(server)
    found = await visitor.get(f"/dashboard/messages?q={id.lower()}")
    assert found.headers.getRawHeaders("location") == [f"/dashboard/messages/{id}"]
    for words in ("%2B31%206%201111%201111", "order%207781"):
        found = await visitor.get(f"/dashboard/messages?q={words}")
        assert (id in found.source, other in found.source) == (True, False), words
    assert "There is no message" in (await visitor.get(f"/dashboard/messages?q={'0' * 26}")).words
    shown = await visitor.get(f"/dashboard/messages/{id}")
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in shown.source
    assert "accepted" in shown.words
    nobody = await visitor.get("/dashboard/messages/01NOBODY")
    assert (nobody.code, "There is no message 01NOBODY. To" in nobody.words) == (404, True)
    assert "Sign out" in (await visitor.get("/dashboard")).words
    assert (await visitor.get("/dashboard/messages?cursor=%21")).code == 400
    assert (await visitor.get("/dashboard/nothing")).code == 404


@pytest_twisted.ensureDeferred
async def test_lists_go_on_page_by_page(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    sms = {"recipient": 31633450007, "originator": "MB", "message": "One of many."}
    ids = (await (await server.post([sms] * 60)).json())["ids"]
    visitor = await inside(server)
    first = await visitor.get("/dashboard/messages?originator=MB")
    assert (ids[-1] in first.source, ids[0] in first.source) == (True, False)
    [further] = [part for part in first.source.split('"') if part.startswith("?") and "cursor=" in part]
    second = await visitor.get("/dashboard/messages" + further.replace("&amp;", "&"))
    assert (ids[-1] in second.source, ids[0] in second.source) == (False, True)


@pytest_twisted.ensureDeferred
async def test_a_waiting_message_is_canceled_after_a_question(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    visitor = await inside(server)
    id = await server.accepted(send_at="2027-06-01T00:00:00Z")
    assert "Cancel this message" in (await visitor.get(f"/dashboard/messages/{id}")).words
    assert "Cancel 1 message?" in (await visitor.get(f"/dashboard/do/cancel?id={id}")).words
    done = await visitor.confirm(f"/dashboard/do/cancel?id={id}")
    assert "1 message canceled." in done.words
    assert (await server.shown(id))["state"] == "canceled"
    assert "1 message canceled." not in (await visitor.get(f"/dashboard/messages/{id}")).words
    csrf = done.hidden["csrf"]
    assert (await visitor.post("/dashboard/do/cancel", id=id, csrf=csrf)).code == 409


@pytest_twisted.ensureDeferred
async def test_dead_letters_are_replayed_one_some_or_all_after_a_question_with_their_number(
    daemon: Any, provider: Provider
) -> None:
    provider.script([UNPROCESSABLE] * 4)
    server = daemon(rate="20")
    await server.start()
    ids = [await server.accepted(originator=name) for name in ("MB", "MB", "Shop", "Bank")]
    for id in ids:
        await in_state(server, id, "dead")
    visitor = await inside(server)
    front = await visitor.get("/")
    assert "4 died within the hour" in front.words
    assert "no (correct) recipients found" in front.words
    assert "1 message queued again." in (await visitor.confirm(f"/dashboard/do/replay?id={ids[0]}")).words
    await in_state(server, ids[0], "sent")
    assert "Send 1 dead letter again?" in (await visitor.get("/dashboard/do/replay?originator=Shop")).words
    await visitor.confirm("/dashboard/do/replay?originator=Shop")
    await in_state(server, ids[2], "sent")
    assert "Send 2 dead letters again?" in (await visitor.get("/dashboard/do/replay")).words
    assert "2 messages queued again." in (await visitor.confirm("/dashboard/do/replay")).words
    for id in ids:
        await in_state(server, id, "sent")


@pytest_twisted.ensureDeferred
async def test_a_test_message_is_measured_and_sent(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    visitor = await inside(server)
    csrf = (await visitor.get("/dashboard/do/test")).hidden["csrf"]
    measured = json.loads((await visitor.post("/dashboard/do/segments", message="ż" * 71, csrf=csrf)).source)
    assert (measured["segments"], measured["datacoding"], measured["because"]) == (2, "unicode", "ż")
    bad = await visitor.post("/dashboard/do/test", recipient="x", originator="MB", message="Hello", csrf=csrf)
    assert (bad.code, "Must be a number with its country code" in bad.words) == (400, True)
    assert "field" not in bad.words
    sent = await visitor.post(
        "/dashboard/do/test",
        recipient="+31 6 (334) 500-07",
        originator="MB",
        message="a\r\nb",
        priority="high",
        csrf=csrf,
    )
    [there] = sent.headers.getRawHeaders("location")
    shown = await server.shown(there.rpartition("/")[2])
    assert (shown["message"], shown["priority"], shown["api_key"]) == ("a\nb", "high", "tester")
    assert shown["recipient"] == 31633450007
    assert "The test message is queued." in (await visitor.get(there)).words


@pytest_twisted.ensureDeferred
async def test_every_page_says_so_while_no_sms_leaves_the_machine(daemon: Any, tmp_path: Path) -> None:
    real = daemon(**SLOW)
    sandbox = f"tcp:{free_port()}:interface=127.0.0.1"
    pretending = DaemonProcess(tmp_path, None, sandbox=sandbox, api_keys=f"tester={KEY}", rate="20")
    for server, is_real in ((real, True), (pretending, False)):
        await server.start()
        outside = Visitor(server.url)
        visitor = await inside(server)
        pages = [await outside.get("/"), await visitor.get("/"), await visitor.get("/dashboard/messages")]
        test = await visitor.get("/dashboard/do/test")
        assert {"Sandbox: no SMS leaves this machine." in page.words for page in (*pages, test)} == {not is_real}
        assert ("It is a real SMS" in test.words) is is_real
        assert await server.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_what_is_held_since_an_outage_goes_or_expires_after_a_question(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="0.2", stale="0.3")
    await server.start()
    ids = [await server.accepted(reference=str(n)) for n in range(4)]
    await until(lambda: provider.stored, "one is sent")
    await server.kill()
    server.environment["SMSD_RATE"] = "50"
    await server.start()  # which takes longer than that
    visitor = await inside(server)

    async def is_told() -> bool:
        return "Held since an outage: 3 wait for your word" in (await visitor.get("/")).words

    await until(is_told, "the page says that three are held")
    assert ids[1] in (await visitor.get("/dashboard/messages?held=yes")).source
    page = await visitor.get("/dashboard/do/held")
    newest = (await server.shown(ids[3]))["accepted_at"]
    assert "5 minutes" in page.words
    asked = f"/dashboard/do/send-held?newer_than={newest}"
    words = (await visitor.get(asked)).words
    assert "Send 1 held message?" in words
    assert "The older ones expire" in words
    assert "1 go, and 2 expired." in (await visitor.confirm(asked)).words
    await in_state(server, ids[3], "sent")
    assert [(await server.shown(id))["state"] for id in ids[1:3]] == ["expired", "expired"]
    assert "Nothing is held." in (await visitor.get("/dashboard/do/held")).words
    assert (await visitor.get("/dashboard/do/burn")).code == 404


@pytest_twisted.ensureDeferred
async def test_a_role_shows_and_does_what_it_is_for_and_ends_with_its_key(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    id = await server.accepted(send_at="2027-06-01T00:00:00Z", originator="31699999999")
    reader, operator, sender = [Visitor(server.url) for _ in range(3)]
    for visitor, role in ((reader, "read"), (operator, "operate"), (sender, "send")):
        response = await treq.post(
            server.url + "/keys",
            json={"name": role, "roles": [role]},
            headers={"X-API-Key": KEY},
            persistent=False,
            reactor=reactor,
        )
        code = (await visitor.sign_in((await response.json())["key"])).code
        assert code == (403 if role == "send" else 303)
    for path in ("/", "/dashboard/messages", f"/dashboard/messages/{id}"):
        page = await reader.get(path)
        assert ("31633450007" in page.words, "31…07" in page.words) == (True, False), path
        page = await operator.get(path)
        assert ("31633450007" in page.source, "31…07" in page.words) == (False, True), path
        assert "31699999999" not in page.source
    assert "This is a test message." not in (await operator.get(f"/dashboard/messages/{id}")).source
    csrf = (await reader.get("/")).hidden["csrf"]
    assert (await reader.get(f"/dashboard/do/cancel?id={id}")).code == 403
    assert (await reader.post("/dashboard/do/cancel", id=id, csrf=csrf)).code == 403
    assert (await operator.get("/dashboard/do/test")).code == 403
    csrf = (await operator.get("/")).hidden["csrf"]
    assert (await operator.post("/dashboard/do/segments", message="x", csrf=csrf)).code == 403
    assert "1 message canceled." in (await operator.confirm(f"/dashboard/do/cancel?id={id}")).words
    await treq.delete(server.url + "/keys/read", headers={"X-API-Key": KEY}, persistent=False, reactor=reactor)
    assert "Sign in" in (await reader.get("/")).words
