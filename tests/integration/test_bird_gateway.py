"""Bird's gateway against a provider on a loopback port, faults and all."""

import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from smsd.core.address import Msisdn, Originator
from smsd.core.message import Message
from smsd.core.outcome import Accepted, HeldOff, Outcome, Postponed, Throttled, Unanswered
from smsd.core.settle import begin
from smsd.gateway.answers import Failure
from smsd.gateway.bird import BirdGateway
from smsd.gateway.sessions import MAX_ANSWER
from tests import messages
from tests.integration import provider as faults
from tests.integration.provider import Behaviour, Provider, answer

KEY = "bk_eu1_s3cretK3yAbCdEf"
TIMEOUT_S = 1.0
TAKEN = answer(202, {"id": "sms_1"})


def message(**changed: Any) -> Message:
    now = time.time()
    return begin(messages.message(**{"accepted_at": now, "not_before": now, **changed}), now, "bird")


@asynccontextmanager
async def gateway_to(url: str, **changed: Any) -> AsyncIterator[BirdGateway]:
    given = {"reactor": reactor, "threads": 1, "timeout_s": TIMEOUT_S, "now": time.time, "category": "service"}
    gateway = BirdGateway(KEY, url, **(given | changed))
    gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


@pytest_twisted.async_yield_fixture
async def gateway(provider: Provider) -> AsyncIterator[BirdGateway]:
    async with gateway_to(provider.url) as gateway:
        yield gateway


@pytest_twisted.ensureDeferred
async def test_a_message_is_asked_for_as_bird_wants_it(provider: Provider, gateway: BirdGateway) -> None:
    provider.script([TAKEN])
    given = message(originator=Originator("31600000009"), body="Grüße, 5 €")
    assert await gateway.send(given) == Accepted(provider_id="sms_1")
    (arrival,) = provider.arrivals
    assert (arrival.method, arrival.path) == ("POST", "/v1/sms/messages")
    assert arrival.json() == {
        "to": "+31633450007",
        "from": "+31600000009",
        "text": "Grüße, 5 €",
        "category": "service",
        "metadata": {"reference": given.id, "recipient": "31633450007"},
    }
    assert arrival.headers["authorization"] == f"Bearer {KEY}"
    assert arrival.headers["user-agent"].startswith("bird-sdk-python/")
    assert arrival.headers["idempotency-key"].startswith(given.id)
    assert not [name for name in arrival.headers if name.startswith("bird-caller")]


@pytest_twisted.ensureDeferred
async def test_a_message_to_several_is_one_batch(provider: Provider, gateway: BirdGateway) -> None:
    provider.script([answer(202, {"data": [{"id": "sms_1"}, {"id": "sms_2"}]})])
    several = message(recipients=(Msisdn("31612345001"), Msisdn("31612345002")))
    assert await gateway.send(several) == Accepted(provider_id="sms_1")
    (arrival,) = provider.arrivals
    assert arrival.path == "/v1/sms/batches"
    assert [each["to"] for each in arrival.json()["messages"]] == ["+31612345001", "+31612345002"]


@pytest_twisted.ensureDeferred
async def test_a_repeat_is_the_same_to_the_octet_and_another_attempt_has_another_key(
    provider: Provider, gateway: BirdGateway
) -> None:
    provider.script([faults.RESETS, TAKEN, TAKEN])
    given = message()
    for each in (given, given, begin(messages.message(), given.accepted_at + 1.0, "bird")):
        await gateway.send(each)
    first, second, third = provider.arrivals
    assert (first.body, first.headers["idempotency-key"]) == (second.body, second.headers["idempotency-key"])
    assert third.headers["idempotency-key"] != first.headers["idempotency-key"]


@pytest_twisted.ensureDeferred
async def test_an_odd_letter_in_a_header_of_the_answer_does_not_make_it_a_refusal(
    provider: Provider, gateway: BirdGateway
) -> None:
    provider.script([answer(202, {"id": "sms_1"}, X_Request_Id="é")])
    assert await gateway.send(message()) == Accepted(provider_id="sms_1")


@pytest_twisted.ensureDeferred
async def test_what_could_not_begin_in_time_is_not_sent(provider: Provider, gateway: BirdGateway) -> None:
    late = Postponed(reason=Failure.TOO_LATE.value)
    assert await gateway.send(message(), time.monotonic()) == late
    # Nor when the time runs out while it connects: each look at this clock takes a second.
    seconds = itertools.count()
    async with gateway_to(provider.url, monotonic=lambda: float(next(seconds))) as slow:
        assert await slow.send(message(), 1.5) == late
    assert provider.arrivals == []


SAID: list[tuple[Behaviour, type[Outcome], str]] = [
    (answer(302, b"moved", Location="/elsewhere"), HeldOff, "answered 302"),
    (answer(307, Location="/v1/sms/messages"), HeldOff, "answered 307"),
    (answer(429, {"type": "rate_limited", "message": "slower"}, Retry_After="7"), Throttled, "slower (rate_limited)"),
    (answer(202, {"id": 7.5}), Unanswered, "answered 202"),
    (answer(202, b"<html>"), Unanswered, "answered 202"),
    (answer(202, b""), Unanswered, "answered 202"),
    (answer(202, b"[" * 100_000), Unanswered, "answered 202"),
    (answer(202, b" " * (MAX_ANSWER + 1)), Unanswered, Failure.TOO_BIG.value),
    (answer(503, b"", Retry_After="7"), Unanswered, "answered 503"),
    (faults.HTML_ERROR, Unanswered, "answered 502"),
    (faults.RESETS, Unanswered, Failure.CUT.value),
    (faults.CUT, Unanswered, Failure.CUT.value),
    (faults.NO_HTTP, Unanswered, Failure.CUT.value),
    (faults.SILENT, Unanswered, Failure.LATE.value),
    (faults.TRICKLES_HEAD, Unanswered, Failure.LATE.value),
    (faults.TRICKLES_BODY, Unanswered, Failure.LATE.value),
]


@pytest.mark.parametrize(("behaviour", "kind", "words"), SAID)
@pytest_twisted.ensureDeferred
async def test_whatever_bird_does_is_an_outcome_and_is_not_asked_for_twice(
    provider: Provider, gateway: BirdGateway, behaviour: Behaviour, kind: type[Outcome], words: str
) -> None:
    provider.script([behaviour, TAKEN])
    outcome = await gateway.send(message())
    assert type(outcome) is kind
    assert words in outcome.reason
    assert (len(provider.arrivals), provider.connections) == (1, 1)
    # Whatever it was, the next one goes through.
    assert isinstance(await gateway.send(message()), Accepted)


@pytest_twisted.ensureDeferred
async def test_bird_says_how_long_to_wait(provider: Provider, gateway: BirdGateway) -> None:
    provider.script([answer(429, Retry_After="7"), answer(503, Retry_After="8")])
    throttled, unanswered = [await gateway.send(message()) for _ in range(2)]
    assert isinstance(throttled, Throttled)
    assert isinstance(unanswered, Unanswered)
    assert (throttled.retry_after_s, unanswered.retry_after_s) == (7.0, 8.0)


@pytest_twisted.ensureDeferred
async def test_an_answer_whose_fields_have_changed_still_has_its_id(provider: Provider, gateway: BirdGateway) -> None:
    provider.script([answer(202, {"id": "sms_1", "segments": "many", "to": None})])
    assert await gateway.send(message()) == Accepted(provider_id="sms_1")


@pytest_twisted.ensureDeferred
async def test_nothing_of_the_environment_reaches_a_request(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("BIRD_API_KEY", "bk_us1_other")
    monkeypatch.setenv("BIRD_BASE_URL", "http://127.0.0.1:9")
    provider.script([TAKEN])
    async with gateway_to(provider.url) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)
    assert provider.arrivals[0].headers["authorization"] == f"Bearer {KEY}"


@pytest_twisted.ensureDeferred
async def test_a_cookie_is_not_kept(provider: Provider, gateway: BirdGateway) -> None:
    provider.script([answer(202, {"id": "sms_1"}, Set_Cookie="a=b"), TAKEN])
    for _ in range(2):
        await gateway.send(message())
    assert "cookie" not in provider.arrivals[1].headers


@pytest_twisted.ensureDeferred
async def test_what_bird_echoes_stays_out_of_the_reason(provider: Provider, gateway: BirdGateway) -> None:
    echo = json.dumps({"error": {"message": f"{KEY} may not send: between you and me, to +31633450007"}})
    provider.script([answer(422, echo.encode())])
    outcome = await gateway.send(message(body="between you and me"))
    assert "*** may not send: ***, to +***" in outcome.reason
