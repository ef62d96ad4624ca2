"""A provider that never calls back, and is asked what became of its messages."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
import treq
from twisted.internet import reactor

from smsd.core.outcome import LookupFailed
from smsd.core.report import DeliveryStatus
from smsd.core.steps import ASK_EVERY_S
from smsd.gateway.messagebird import MessageBirdGateway
from smsd.service import Daemon
from smsd.settings import load
from tests.integration.daemon import KEY, SMS, free_port, until
from tests.integration.provider import RESETS, Behaviour, Provider, answer, errors
from tests.messages import message


class Hand:
    """A wall clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class InProcess:
    """A daemon in this process, which shares its reactor and is given its wall clock."""

    def __init__(self, provider: Provider, spool: str) -> None:
        self.now = Hand()
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        environ = {
            "SMSD_LISTEN": f"tcp:{port}:interface=127.0.0.1",
            "SMSD_SPOOL": spool,
            "SMSD_RATE": "20",
            "SMSD_API_KEYS": f"tester={KEY}",
            "SMSD_MESSAGEBIRD_KEY": "live_key",
            "SMSD_MESSAGEBIRD_URL": provider.url,
        }
        self.service = Daemon(load(environ, {}, None), reactor=reactor, now=self.now, draw=lambda: 0.5)

    async def accepted(self) -> str:
        return str((await self._asked("POST", "/sms", json=SMS))["id"])

    async def shown(self, id: str) -> Any:
        return await self._asked("GET", f"/sms/{id}")

    async def comes_to(self, id: str, state: str) -> None:
        async def is_there() -> bool:
            return bool((await self.shown(id))["state"] == state)

        await until(is_there, f"it is {state}")

    async def _asked(self, method: str, path: str, **body: Any) -> Any:
        headers = {"X-API-Key": KEY}
        response = await treq.request(method, self._url + path, headers=headers, persistent=False, **body)
        return await response.json()


@pytest_twisted.async_yield_fixture
async def daemon(provider: Provider) -> AsyncIterator[InProcess]:
    daemon = InProcess(provider, "memory:")
    daemon.service.startService()
    yield daemon
    await daemon.service.stopService()


@pytest_twisted.async_yield_fixture
async def gateway(provider: Provider) -> AsyncIterator[MessageBirdGateway]:
    gateway = MessageBirdGateway("live_key", provider.url, reactor=reactor, threads=1, timeout_s=1.0, now=time.time)
    gateway.start()
    yield gateway
    await gateway.close()


def asks(provider: Provider) -> list[str]:
    return [arrival.path for arrival in provider.gets()]


@pytest_twisted.ensureDeferred
async def test_a_status_report_that_never_comes_is_asked_for(daemon: InProcess, provider: Provider) -> None:
    id = await daemon.accepted()
    await daemon.comes_to(id, "sent")
    ((theirs, shown),) = provider.stored.items()
    shown["recipients"]["items"][0] |= {"status": "delivered", "mccmnc": "20408"}
    daemon.now.ahead_s = ASK_EVERY_S
    await daemon.comes_to(id, "delivered")
    assert asks(provider) == [f"/messages/{theirs}"]
    assert (await daemon.shown(id))["deliveries"][0]["network"] == "20408"


@pytest_twisted.ensureDeferred
async def test_a_provider_that_fails_is_asked_again_an_hour_later(daemon: InProcess, provider: Provider) -> None:
    id = await daemon.accepted()
    await daemon.comes_to(id, "sent")
    (shown,) = provider.stored.values()
    shown["recipients"]["items"][0]["status"] = "delivery_failed"
    provider.script_lists([errors(500, 99, "Internal error")])
    daemon.now.ahead_s = ASK_EVERY_S
    await until(lambda: asks(provider), "it is asked for")
    daemon.now.ahead_s = 2 * ASK_EVERY_S
    await daemon.comes_to(id, "undelivered")
    assert len(asks(provider)) == 2


@pytest_twisted.ensureDeferred
async def test_the_gateway_reports_each_recipient(gateway: MessageBirdGateway, provider: Provider) -> None:
    stored = provider.keep({"recipients": "31633450007,31633450008", "reference": "01TEST"})
    stored["recipients"]["items"][1]["status"] = "buffered"
    reports = await gateway.reports(message(provider_id=stored["id"]))
    assert not isinstance(reports, LookupFailed)
    assert [(each.recipient.digits, each.status) for each in reports] == [
        ("31633450007", DeliveryStatus.SENT),
        ("31633450008", DeliveryStatus.BUFFERED),
    ]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (errors(404, 20, "message not found"), "the provider answered 404; message not found (code 20)"),
        (errors(429, 29, "the request has not been processed"), "429"),
        (errors(401, 2, "Request not allowed"), "401"),
        (answer(200, b"<html>"), "could not be read"),
        (answer(200, [1, 2]), "could not be read"),
        (answer(200, {"id": "x"}), "could not be read"),
        (RESETS, "broke"),
        (Behaviour(reply=b""), "in time"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_whatever_else_comes_is_a_reason(
    gateway: MessageBirdGateway, provider: Provider, behaviour: Behaviour, reason: str
) -> None:
    provider.script_lists([behaviour])
    result = await gateway.reports(message(provider_id="theirs"))
    assert isinstance(result, LookupFailed)
    assert reason in result.reason


@pytest_twisted.ensureDeferred
async def test_an_id_of_theirs_cannot_lead_elsewhere(gateway: MessageBirdGateway, provider: Provider) -> None:
    assert isinstance(await gateway.reports(message(provider_id="")), LookupFailed)
    assert asks(provider) == []
    assert isinstance(await gateway.reports(message(provider_id="a/b?c=d#é")), LookupFailed)
    assert asks(provider) == ["/messages/a%2Fb%3Fc%3Dd%23%C3%A9"]
