"""Signed events of Bird's become reports and incoming messages; nothing else does."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from smsd.core.address import Msisdn
from smsd.core.report import BadReport, BadSignature, DeliveryStatus, Inbound, Report
from smsd.gateway.bird_events import BirdEvents, item_report

OCTETS = b"0123456789abcdef01234567"
EVENTS = BirdEvents("whsec_" + base64.b64encode(OCTETS).decode())
ULID = "01krdgeqcxet5s7t44vh8rt9mg"
DATA: dict[str, Any] = {
    "sms_id": f"sms_{ULID}",
    "workspace_id": f"ws_{ULID}",
    "to": "+31612345001",
    "from": "MB",
    "tags": None,
    "metadata": {"reference": "01TEST", "recipient": "31612345001"},
    **dict.fromkeys(
        ["requested_language", "resolved_language", "template_id", "template_version_id", "template_content_hash"]
    ),
    "segments": {"count": 1, "encoding": "GSM_7BIT", "characters": 5},
}


def signed(body: bytes, *, at: float | None = None, octets: bytes = OCTETS) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(octets, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}


def told(kind: str, timestamp: object = "2026-05-21T12:00:00Z", **changed: Any) -> Report | Inbound | None:
    body = json.dumps({"type": kind, "timestamp": timestamp, "data": {**DATA, **changed}}).encode()
    return EVENTS.read(signed(body), body)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("accepted", DeliveryStatus.SCHEDULED),
        ("sent", DeliveryStatus.SENT),
        ("delivered", DeliveryStatus.DELIVERED),
        ("expired", DeliveryStatus.EXPIRED),
        ("undelivered", DeliveryStatus.DELIVERY_FAILED),
        ("failed", DeliveryStatus.DELIVERY_FAILED),
        ("rejected", DeliveryStatus.DELIVERY_FAILED),
    ],
)
def test_each_event_of_a_message_is_a_report(kind: str, status: DeliveryStatus) -> None:
    assert told(f"sms.{kind}", error=None) == Report(
        reference="01TEST",
        recipient=Msisdn("31612345001"),
        status=status,
        at=1779364800.0,
        provider_id=f"sms_{ULID}",
    )


def test_a_failure_comes_with_its_reason() -> None:
    error = {
        "code": "unreachable",
        "description": "The handset is off",
        "carrier_error_code": "27",
        "occurred_at": "2026-05-21T12:00:00Z",
    }
    report = told("sms.undelivered", error=error, mcc_mnc="20408")
    assert isinstance(report, Report)
    assert (report.reason, report.error_code, report.network) == ("unreachable: The handset is off", 27, "20408")


def test_what_somebody_sent_to_us_is_an_incoming_message() -> None:
    received = {"from": "+31600000009", "to": "+31600000001", "text": "STOP", "metadata": None}
    assert told("sms.received", **received) == Inbound(
        id=f"sms_{ULID}",
        originator="31600000009",
        recipient=Msisdn("31600000001"),
        body="STOP",
        received_at=1779364800.0,
    )


def test_an_incoming_message_may_have_no_text() -> None:
    inbound = told("sms.received", to="+31600000001", metadata=None)
    assert isinstance(inbound, Inbound)
    assert inbound.body == ""


@pytest.mark.parametrize("kind", ["email.delivered", "domain.failed", "sms.brand_new", "brand.new"])
def test_what_is_of_no_concern_here_is_passed_over(kind: str) -> None:
    assert told(kind) is None


@pytest.mark.parametrize("metadata", [None, {}, {"order": 7}])
def test_a_message_that_is_not_ours_is_passed_over(metadata: object) -> None:
    assert told("sms.delivered", metadata=metadata) is None


def test_a_field_that_has_changed_does_not_cost_us_the_status() -> None:
    report = told("sms.delivered", segments="many", workspace_id=7)
    assert isinstance(report, Report)
    assert report.status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "MB"},
        {"to": None},
        {"metadata": {"reference": ""}},
        {"metadata": {"reference": "x" * 65}},
        {"timestamp": "yesterday"},
        {"timestamp": None},
        {"timestamp": "2026-05-21T12:00:00"},
    ],
)
def test_what_cannot_be_read_is_no_report(changed: dict[str, Any]) -> None:
    with pytest.raises(BadReport):
        told("sms.delivered", **changed)


@pytest.mark.parametrize("body", [b"not json", b"[]", b"7", b'{"type": "sms.sent"}', b"{}"])
def test_what_is_signed_but_says_nothing_is_no_report(body: bytes) -> None:
    with pytest.raises(BadReport):
        EVENTS.read(signed(body), body)


BODY = json.dumps({"type": "sms.delivered", "timestamp": "2026-05-21T12:00:00Z", "data": DATA}).encode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, octets=b"another secret altogether"),
        signed(BODY + b" "),
        signed(BODY, at=time.time() - 3600),
        signed(BODY, at=time.time() + 3600),
        {**signed(BODY), "webhook-signature": "v1,é"},
        {**signed(BODY), "webhook-timestamp": "now"},
        {name: value for name, value in signed(BODY).items() if name != "webhook-id"},
    ],
)
def test_what_bird_did_not_sign_is_not_read(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        EVENTS.read(headers, BODY)


def test_a_header_may_be_written_in_any_case() -> None:
    assert EVENTS.read({name.title(): value for name, value in signed(BODY).items()}, BODY) is not None


def test_a_message_that_is_listed_says_what_became_of_it() -> None:
    item = {**DATA, "id": f"sms_{ULID}", "status": "delivered", "created_at": "2026-05-21T11:00:00Z"}
    delivered = item_report({**item, "delivered_at": "2026-05-21T12:00:00Z"})
    assert (delivered.status, delivered.at) == (DeliveryStatus.DELIVERED, 1779364800.0)
    error = {"code": "unreachable", "description": "off", "occurred_at": "2026-05-21T12:00:00Z"}
    failed = item_report({**item, "status": "failed", "last_error": error})
    assert (failed.status, failed.at) == (DeliveryStatus.DELIVERY_FAILED, 1779364800.0)
    assert failed.reason == "unreachable: off"
    assert item_report({**item, "status": "accepted"}).at == 1779364800.0 - 3600


def test_a_status_that_is_not_known_is_no_report() -> None:
    with pytest.raises(BadReport):
        item_report({**DATA, "status": "brand_new", "created_at": "2026-05-21T11:00:00Z"})
