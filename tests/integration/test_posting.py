"""Arrays, broadcasts and idempotency keys, over HTTP and at the provider."""

from collections import Counter
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from tests.integration.daemon import SMS, until
from tests.integration.provider import Provider
from tests.integration.test_operations import ask, in_state

NUMBERS = [31600000000 + number for number in range(120)]


@pytest_twisted.ensureDeferred
async def test_an_array_is_taken_whole_and_each_element_is_sent(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="50")
    await server.start()
    answer = await (await server.post([SMS | {"recipient": number} for number in NUMBERS[:30]])).json()
    assert (answer["status"], len(answer["ids"])) == ("ok", 30)
    await until(lambda: len(provider.stored) == 30, "all have arrived")
    assert sorted(kept["reference"] for kept in provider.stored.values()) == sorted(answer["ids"])


@pytest_twisted.ensureDeferred
async def test_one_bad_element_and_none_is_taken(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    bad = [SMS, SMS | {"originator": ""}, "text", SMS | {"recipient": 7, "colour": "red"}]
    response = await server.post(bad)
    answer = await response.json()
    assert response.code == 400
    assert [error["pointer"] for error in answer["errors"]] == ["/1/originator", "/2", "/3/recipient", "/3/colour"]
    assert (await (await server.get("/sms")).json())["sms"] == []


@pytest.mark.parametrize("count", [0, 10_001])
@pytest_twisted.ensureDeferred
async def test_an_array_has_one_to_ten_thousand_elements(daemon: Any, count: int) -> None:
    server = daemon(rate="0.01")
    await server.start()
    assert (await server.post([SMS] * count)).code == 400


@pytest_twisted.ensureDeferred
async def test_a_broadcast_goes_out_fifty_at_a_time_and_is_one_whole(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="20")
    await server.start()
    given = [*NUMBERS, NUMBERS[3], f"+{NUMBERS[4]}"]
    body = {"originator": "MB", "message": "To all", "recipients": given}
    answer = await (await server.post(body)).json()
    assert (answer["recipients"], answer["requests"]) == (120, 3)
    await in_state(server, answer["id"], "sent")
    sizes = [len(arrival.json()["recipients"].split(",")) for arrival in provider.posts()]
    assert sorted(sizes) == [20, 50, 50]
    reached = Counter(number for arrival in provider.posts() for number in arrival.json()["recipients"].split(","))
    assert reached == Counter(map(str, NUMBERS))
    shown = await server.shown(answer["id"])
    assert (shown["recipients"], shown["states"]) == (NUMBERS, {"sent": 120})
    part = await server.shown(shown["parts"][0]["id"])
    assert (part["batch"], len(part["recipients"])) == (answer["id"], 50)


@pytest_twisted.ensureDeferred
async def test_a_waiting_broadcast_is_canceled_by_its_one_id(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="20")
    await server.start()
    body = {"originator": "MB", "message": "x", "recipients": NUMBERS, "send_at": "2027-06-01T00:00:00Z"}
    id = (await (await server.post(body)).json())["id"]
    code, shown = await ask(server, "DELETE", f"/sms/{id}")
    assert (code, shown["states"]) == (200, {"canceled": 120})
    assert (await ask(server, "DELETE", f"/sms/{id}"))[0] == 409
    assert provider.posts() == []


@pytest_twisted.ensureDeferred
async def test_bad_recipients_are_named_by_index(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    body = {"originator": "MB", "message": "x", "recipients": [31600000001, "abc", True, 7]}
    answer = await (await server.post(body)).json()
    assert [error["pointer"] for error in answer["errors"]] == ["/recipients/1", "/recipients/2", "/recipients/3"]
    both = await server.post(SMS | {"recipients": [31600000001]})
    assert (both.code, [e["pointer"] for e in (await both.json())["errors"]]) == (400, ["/recipient"])


@pytest_twisted.ensureDeferred
async def test_fifty_thousand_recipients_are_taken_in_one_request(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    body = {"originator": "MB", "message": "x", "recipients": [31600000000 + n for n in range(50_000)]}
    answer = await (await server.post(body)).json()
    assert (answer["recipients"], answer["requests"]) == (50_000, 1000)


@pytest.mark.parametrize("keys", [("order-7", '"order-7"'), ('"a b"', '"a b"')])
@pytest_twisted.ensureDeferred
async def test_the_same_key_and_body_is_sent_once_and_answered_alike(
    daemon: Any, provider: Provider, keys: tuple[str, str]
) -> None:
    server = daemon(rate="20")
    await server.start()
    first = await server.post(SMS, Idempotency_Key=keys[0])
    told = await first.text()
    await server.kill()
    await server.start()
    reordered = dict(reversed(SMS.items()))
    again = await server.post(reordered, Idempotency_Key=keys[1])
    assert (again.code, await again.text()) == (200, told)
    assert again.headers.getRawHeaders("Idempotent-Replayed") == ["true"]
    assert again.headers.getRawHeaders("Location") == first.headers.getRawHeaders("Location")
    other = await server.post(SMS | {"message": "Another"}, Idempotency_Key=keys[0])
    assert other.code == 422
    assert first.headers.getRawHeaders("Idempotent-Replayed") is None
    await until(lambda: provider.stored, "it arrives")
    assert len((await (await server.get("/sms")).json())["sms"]) == 1


@pytest_twisted.ensureDeferred
async def test_many_at_once_with_one_key_are_one_message(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    posts = [Deferred.fromCoroutine(server.post(SMS, Idempotency_Key="k")) for _ in range(20)]
    answers = [await response.json() for response in await gatherResults(posts)]
    assert len({answer["id"] for answer in answers}) == 1
    assert len((await (await server.get("/sms")).json())["sms"]) == 1


@pytest.mark.parametrize("key", ['""', "a b", "x" * 256, "ключ"])
@pytest_twisted.ensureDeferred
async def test_an_unusable_key_is_refused(daemon: Any, key: str) -> None:
    server = daemon(rate="0.01")
    await server.start()
    assert (await server.post(SMS, Idempotency_Key=key)).code == 400
