from typing import Any

import pytest

from smsd.core.address import Msisdn
from smsd.core.report import DeliveryStatus, Report
from smsd.gateway.recipients import reports_of
from tests.messages import message

NOW = 1_700_000_000.0
MESSAGE = message(provider_id="7d8451f8")
#: As MessageBird shows one, https://github.com/messagebird/php-rest-api, tests.
ITEM = {
    "id": "of the recipient",
    "recipient": 31633450007,
    "originator": None,
    "status": "delivered",
    "statusDatetime": "2022-10-12T18:46:24+00:00",
    "recipientCountry": "Netherlands",
    "recipientOperator": "KPN",
    "statusErrorCode": None,
    "statusReason": "successfully delivered",
    "price": {"amount": 0.076, "currency": "EUR"},
    "mccmnc": "20408",
    "messagePartCount": 1,
}


def shown(*items: Any, **changed: Any) -> dict[str, Any]:
    body = {"id": "7d8451f8", "reference": "01TEST", "recipients": {"totalCount": len(items), "items": list(items)}}
    return body | changed


def test_a_recipient_with_a_status_is_a_report() -> None:
    assert reports_of(shown(ITEM), MESSAGE, NOW) == (
        Report(
            reference="01TEST",
            recipient=Msisdn("31633450007"),
            status=DeliveryStatus.DELIVERED,
            at=1665600384.0,
            reason="successfully delivered",
            network="20408",
            provider_id="7d8451f8",
        ),
    )


def test_reason_and_code_are_read_as_numbers_too() -> None:
    failed = ITEM | {"status": "delivery_failed", "statusErrorCode": 27, "statusReason": "unknown", "mccmnc": 20404}
    (report,) = reports_of(shown(failed), MESSAGE, NOW) or ()
    assert (report.status, report.error_code, report.network) == (DeliveryStatus.DELIVERY_FAILED, 27, "20404")


@pytest.mark.parametrize("date", [None, "", 0, "2022-10-12 18:46:24", "12 October", "2022-13-12T18:46:24Z", {}])
def test_a_date_that_cannot_be_read_does_not_cost_the_status(date: Any) -> None:
    (report,) = reports_of(shown(ITEM | {"statusDatetime": date}), MESSAGE, NOW) or ()
    assert (report.status, report.at) == (DeliveryStatus.DELIVERED, NOW)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "delivered",
        [],
        {},
        {**ITEM, "status": None},
        {**ITEM, "status": "teleported"},
        {**ITEM, "status": ["delivered"]},
        {**ITEM, "recipient": None},
        {**ITEM, "recipient": "somebody"},
    ],
)
def test_a_recipient_that_cannot_be_read_leaves_the_others_theirs(bad: Any) -> None:
    assert len(reports_of(shown(bad, ITEM), MESSAGE, NOW) or ()) == 1


@pytest.mark.parametrize(
    "decoded",
    [
        None,
        [],
        "sent",
        {},
        {"recipients": None},
        {"recipients": []},
        {"recipients": {"items": {}}},
        shown(ITEM, reference="01OTHER"),
        shown(ITEM, reference=None),
    ],
)
def test_what_is_not_the_message_tells_nothing(decoded: Any) -> None:
    assert reports_of(decoded, MESSAGE, NOW) is None
