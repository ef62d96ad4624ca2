"""Reads what MessageBird tells us, and refuses what it did not sign."""

import contextlib
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn
from smsd.core.report import BadReport, BadSignature, DeliveryStatus, Inbound, Report
from smsd.gateway.fields import MAX_BODY, MAX_REASON
from smsd.gateway.webhook import inbound, public_url, status_report, verify

KEY = "PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGdPlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd"
URL = "https://sms.example.com/messagebird/status?id=p1&reference=01TEST"
BODY = b'{"id":"p1"}'
AT = 1462285617.0  # 2016-05-03T14:26:57Z

REPORT = {
    "id": "e8077d803532c0b5937c639b60216938",
    "reference": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "recipient": "31642500190",
    "status": "delivered",
    "statusDatetime": "2016-05-03T14:26:57+00:00",
}
INBOUND = {
    "id": "e8077d803532c0b5937c639b60216938",
    "recipient": "31642500190",
    "originator": "31612345678",
    "body": "This is an incoming message",
    "createdDatetime": "2016-05-03T14:26:57+00:00",
}


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


# --- status reports


def test_a_short_report_is_read() -> None:
    assert status_report(REPORT) == Report(
        reference="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        recipient=Msisdn("31642500190"),
        status=DeliveryStatus.DELIVERED,
        at=AT,
        provider_id="e8077d803532c0b5937c639b60216938",
    )


def test_a_full_report_is_read() -> None:
    more = {"statusReason": "unknown subscriber", "statusErrorCode": "1", "mccmnc": "20408", "ported": "0"}
    report = status_report({**REPORT, "status": "delivery_failed", **more})
    assert report.status is DeliveryStatus.DELIVERY_FAILED
    assert (report.reason, report.error_code, report.network) == ("unknown subscriber", 1, "20408")


def test_the_numbers_of_json_are_read_as_text_is() -> None:
    report = status_report({**REPORT, "recipient": 31642500190, "statusErrorCode": 0, "mccmnc": 20408, "ported": None})
    assert (report.recipient, report.error_code, report.network) == (Msisdn("31642500190"), 0, "20408")


@pytest.mark.parametrize("status", list(DeliveryStatus))
def test_every_status_is_known_by_the_providers_word(status: DeliveryStatus) -> None:
    assert status_report({**REPORT, "status": status.value}).status is status


@pytest.mark.parametrize("status", ["Delivered", "failed", "delivered ", "absent"])
def test_an_unknown_status_is_refused_by_name(status: str) -> None:
    with pytest.raises(BadReport) as refused:
        status_report({**REPORT, "status": status})
    assert str(refused.value) == f"That is no report of the provider's: its status {status!r} is unknown."


def test_an_error_does_not_repeat_a_number() -> None:
    for field in ("status", "recipient", "statusDatetime"):
        with pytest.raises(BadReport) as refused:
            status_report({**REPORT, field: "x31642500190"})
        assert "31642500190" not in str(refused.value)


def test_a_plus_that_was_left_bare_in_the_query_is_read_all_the_same() -> None:
    query = "reference=01TEST&recipient=+31642500190&status=sent&statusDatetime=2016-05-03T16:26:57+02:00"
    report = status_report(dict(parse_qsl(query)))
    assert (report.recipient, report.at) == (Msisdn("31642500190"), AT)


@pytest.mark.parametrize(
    ("moment", "at"),
    [
        ("2016-05-03T14:26:57Z", AT),
        ("2016-05-03T14:26:57.25+00:00", AT + 0.25),
        ("2016-05-03T16:26:57+02:00", AT),
        ("2016-05-03T09:26:57-05:00", AT),
        ("2016-05-03T16:26:57 02:00", AT),
    ],
)
def test_times_are_utc_epoch_seconds(moment: str, at: float) -> None:
    assert status_report({**REPORT, "statusDatetime": moment}).at == at


@pytest.mark.parametrize(
    "moment",
    [
        *("2016-05-03T14:26:57", "2016-05-03 14:26:57", "2016-05-03", "20160503142657", "1462285617", "yesterday"),
        *("2016-02-30T14:26:57Z", "2016-05-03T25:00:00Z", "2016-05-03T14:26:57+99:00", "2016-05-03T::::::::Z"),
        *("2016-05-03T14:26:57Z\n", "٢٠١٦-05-03T14:26:57Z"),
    ],
)
def test_a_time_that_is_not_rfc_3339_with_an_offset_is_refused(moment: str) -> None:
    with pytest.raises(BadReport, match="statusDatetime"):
        status_report({**REPORT, "statusDatetime": moment})


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\0", "\ud800", "x" * 65, True, 1.5, ["delivered"], {"a": "b"}])
@pytest.mark.parametrize("field", ["reference", "recipient", "status", "statusDatetime"])
def test_rubbish_in_what_a_report_must_have_is_refused_and_the_field_is_named(field: str, value: object) -> None:
    with pytest.raises(BadReport, match=f"its {field} "):
        status_report({**REPORT, field: value})


@pytest.mark.parametrize("field", ["reference", "recipient", "status", "statusDatetime"])
def test_a_report_without_what_it_must_have_is_refused_and_the_field_is_named(field: str) -> None:
    for fields in (without(REPORT, field), {**REPORT, field: None}):
        with pytest.raises(BadReport) as refused:
            status_report(fields)
        assert refused.value.reason == f"it has no {field}"


def test_what_a_report_may_lack_never_costs_the_status() -> None:
    rubbish: list[object] = ["", None, True, [], "-1", "1.5", "٣", "9" * 5000, "x" * 9999]
    for value in rubbish:
        report = status_report({**without(REPORT, "id"), "statusErrorCode": value, "mccmnc": value})
        assert (report.error_code, report.network, report.provider_id) == (None, "", "")
    assert len(status_report({**REPORT, "id": "x" * 9999}).provider_id) == 64


def test_a_reason_is_short_on_one_line_and_without_numbers() -> None:
    reason = status_report({**REPORT, "statusReason": "no\r\nroute to 31642500190 " + "x" * 999}).reason
    assert reason.startswith("no route to *** xxx")
    assert len(reason) == MAX_REASON


ANYTHING = st.none() | st.booleans() | st.integers(0, 10**20) | st.floats() | st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*REPORT, *INBOUND, "statusReason", "statusErrorCode", "mccmnc"]), ANYTHING))
def test_anything_at_all_is_read_or_refused_and_nothing_else(fields: dict[str, object]) -> None:
    for read, good in ((status_report, REPORT), (inbound, INBOUND)):
        for given_fields in (fields, {**good, **fields}):
            with contextlib.suppress(BadReport):
                assert isinstance(read(given_fields), Report | Inbound)


# --- incoming messages


def test_an_incoming_message_is_read() -> None:
    assert inbound(INBOUND) == Inbound(
        id="e8077d803532c0b5937c639b60216938",
        originator="31612345678",
        recipient=Msisdn("31642500190"),
        body="This is an incoming message",
        received_at=AT,
    )


@pytest.mark.parametrize(
    ("given_as", "originator"),
    [
        ("+31612345678", "31612345678"),
        (" 31612345678", "31612345678"),
        ("KPN-info", "KPN-info"),
        ("112", "112"),
        ("+" + "1" * 20, "+" + "1" * 20),
    ],
)
def test_who_it_is_from_is_a_number_without_plus_or_any_name(given_as: str, originator: str) -> None:
    assert inbound({**INBOUND, "originator": given_as}).originator == originator


@pytest.mark.parametrize("body", ["", " ", "two\nlines", "Жар 🔥", "1" * MAX_BODY])
def test_an_incoming_text_is_kept_as_it_is(body: str) -> None:
    assert inbound({**INBOUND, "body": body}).body == body


def test_what_no_database_can_keep_is_replaced_in_an_incoming_text() -> None:
    assert inbound({**INBOUND, "body": "a\0b\ud800c\U0001f525"}).body == "a\ufffdb\ufffdc\U0001f525"


@pytest.mark.parametrize("field", list(INBOUND))
def test_an_incoming_message_without_a_field_is_refused_and_the_field_is_named(field: str) -> None:
    with pytest.raises(BadReport, match=f"it has no {field}"):
        inbound(without(INBOUND, field))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("id", ""), ("id", "x" * 65), ("originator", ""), ("originator", "  "), ("originator", "x" * 22)),
        *(("recipient", "MB"), ("body", "x" * (MAX_BODY + 1)), ("body", ["a"]), ("createdDatetime", "now")),
    ],
)
def test_rubbish_in_an_incoming_message_is_refused_and_the_field_is_named(field: str, value: object) -> None:
    with pytest.raises(BadReport, match=f"its {field} "):
        inbound({**INBOUND, field: value})


# --- signatures: the validator reads the wall clock, so these tests do as well


def claims(url: str = URL, body: bytes = b"", **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    fields = {
        "iss": "MessageBird",
        "nbf": now - 5,
        "exp": now + 60,
        "jti": "j1",
        "url_hash": hashlib.sha256(url.encode()).hexdigest(),
        "payload_hash": hashlib.sha256(body).hexdigest() if body else None,
        **changed,
    }
    return {name: value for name, value in fields.items() if value is not None}


def signed(*, key: str = KEY, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm=algorithm)


def refusal(signature: str, *, key: str = KEY, url: str = URL, body: bytes = b"") -> str:
    with pytest.raises(BadSignature) as refused:
        verify(key, signature=signature, url=url, body=body)
    assert key not in str(refused.value) or not key
    return refused.value.reason


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("body", [b"", BODY])
def test_a_request_that_messagebird_signed_is_taken(algorithm: str, body: bytes) -> None:
    verify(KEY, signature=signed(algorithm=algorithm, body=body), url=URL, body=body)


@pytest.mark.filterwarnings("ignore:The HMAC key is")  # PyJWT would like 64 octets; MessageBird's keys have 32
def test_a_key_of_messagebirds_usual_length_does_for_every_algorithm() -> None:
    verify(KEY[:32], signature=signed(key=KEY[:32], algorithm="HS512"), url=URL, body=b"")


def test_a_token_that_another_key_signed_is_refused() -> None:
    assert "Signature verification failed" in refusal(signed(key=KEY[::-1]))


def test_an_unsigned_token_is_refused() -> None:
    assert "alg" in refusal(jwt.encode(claims(), "", algorithm="none"))
    assert "empty" in refusal("")


def test_another_url_is_refused_even_by_one_character() -> None:
    assert "url_hash" in refusal(signed(), url=URL + "&status=delivered")
    assert "url_hash" in refusal(signed(), url=URL.replace("https", "http"))
    assert "empty" in refusal(signed(), url="")


def test_another_body_is_refused() -> None:
    assert "payload_hash" in refusal(signed(body=BODY), body=BODY + b" ")


def test_a_body_that_is_not_signed_is_refused_and_so_is_one_that_is_missing() -> None:
    assert "payload_hash" in refusal(signed(), body=BODY)
    assert "payload_hash" in refusal(signed(body=BODY))


def test_a_token_is_taken_only_in_its_time() -> None:
    now = int(time.time())
    assert "expired" in refusal(signed(exp=now - 5))
    assert "not yet valid" in refusal(signed(nbf=now + 60))


def test_a_token_of_another_issuer_is_refused() -> None:
    assert "issuer" in refusal(signed(iss="Somebody"))


@pytest.mark.parametrize("claim", ["iss", "nbf", "exp", "url_hash"])
def test_a_token_without_a_claim_that_matters_is_refused(claim: str) -> None:
    lacking: dict[str, Any] = {claim: None}
    assert "claim" in refusal(signed(**lacking))


@pytest.mark.parametrize("value", [7, "é", ["a"]])
def test_a_hash_that_is_no_hash_is_refused(value: object) -> None:
    assert refusal(signed(url_hash=value))
    assert refusal(signed(payload_hash=value), body=BODY)


@pytest.mark.parametrize("key", ["", "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----"])
def test_a_signing_key_that_cannot_be_one_takes_nothing(key: str) -> None:
    assert refusal(signed(), key=key) == "our own signing key cannot be used"


def test_a_refusal_does_not_repeat_what_a_token_says_unsigned() -> None:
    forged = jwt.encode(claims(), KEY, headers={"crit": ["evil\n31642500190 \x1b[2J"]})
    reason = refusal(forged)
    assert reason.isprintable()
    assert "31642500190" not in reason


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_at_all_as_a_signature_is_refused(signature: str) -> None:
    assert refusal(signature)


def test_the_url_is_as_the_provider_called_it_outside() -> None:
    uri = b"/messagebird/status?a=%2B31&b=x+y&c=%2b"
    for base in ("https://sms.example.com", "https://sms.example.com/"):
        assert public_url(base, uri) == "https://sms.example.com/messagebird/status?a=%2B31&b=x+y&c=%2b"
    assert public_url("https://example.com/sms", uri).startswith("https://example.com/sms/messagebird/status?")


def test_a_uri_that_is_no_text_is_refused_and_not_a_fault() -> None:
    assert refusal(signed(), url=public_url("https://sms.example.com", b"/\xff"))
