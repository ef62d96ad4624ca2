"""What each answer of the provider means for a message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.outcome import Accepted, HeldOff, Outcome, Postponed, Refused, Throttled, Unanswered
from smsd.gateway.answers import MAX_WORDS, Answer, Failure, outcome_of, outcome_of_failure, retry_after_s
from smsd.gateway.reply import Reply

KEY = "live_s3cretK3yAbCdEf"


def body(code: int | None, description: str = "why", parameter: str | None = None) -> dict[str, object]:
    return {"errors": [{"code": code, "description": description, "parameter": parameter}]}


TABLE: list[tuple[int, object, type[Outcome]]] = [
    (200, {"id": "a1"}, Accepted),
    (201, {"id": "a1"}, Accepted),
    (202, {"id": "a1"}, Accepted),
    (201, {"id": 17}, Accepted),
    (200, {"id": ""}, Unanswered),
    (200, {"id": None}, Unanswered),
    (200, {"id": ["a1"]}, Unanswered),
    (200, {}, Unanswered),
    (200, None, Unanswered),
    (200, [{"id": "a1"}], Unanswered),
    (200, body(9), Unanswered),
    (204, None, Unanswered),
    (301, None, HeldOff),
    (302, {"id": "a1"}, HeldOff),
    (304, None, HeldOff),
    (307, None, HeldOff),
    (308, None, HeldOff),
    (400, body(21), Refused),
    (400, body(25), HeldOff),
    (400, None, Refused),
    (401, body(2), HeldOff),
    (401, None, HeldOff),
    (402, body(25), HeldOff),
    (402, None, HeldOff),
    (403, body(None), HeldOff),
    (404, body(20), Refused),
    (404, body(98), Refused),
    (405, body(21), Refused),
    (408, body(25), Unanswered),
    (409, None, Refused),
    (413, None, Refused),
    (418, None, Refused),
    (422, body(9), Refused),
    (422, body(10), Refused),
    (422, body(25), HeldOff),
    (422, body(2), HeldOff),
    (429, body(29), Throttled),
    (429, body(25), Throttled),
    (429, None, Throttled),
    (500, body(99), Unanswered),
    (500, {"id": "a1"}, Unanswered),
    (502, None, Unanswered),
    (503, body(25), Unanswered),
    (504, None, Unanswered),
    (101, None, Unanswered),
    (999, None, Unanswered),
]


@pytest.mark.parametrize(("status", "decoded", "kind"), TABLE)
def test_an_answer_has_one_meaning(status: int, decoded: object, kind: type[Outcome]) -> None:
    assert type(outcome_of(Answer.parse(status, decoded))) is kind


def test_an_accepted_message_has_the_providers_id() -> None:
    assert outcome_of(Answer.parse(201, {"id": "a1"})) == Accepted(provider_id="a1")


FAILURES: list[tuple[Failure, Outcome]] = [
    (Failure.UNRESOLVED, Postponed(reason=Failure.UNRESOLVED.value)),
    (Failure.UNREACHABLE, Postponed(reason=Failure.UNREACHABLE.value)),
    (Failure.CONNECT_LATE, Postponed(reason=Failure.CONNECT_LATE.value)),
    (Failure.TLS_FAILED, Postponed(reason=Failure.TLS_FAILED.value)),
    (Failure.TOO_LATE, Postponed(reason=Failure.TOO_LATE.value)),
    (Failure.UNWRITABLE, Refused(reason=Failure.UNWRITABLE.value)),
    (Failure.LATE, Unanswered(reason=Failure.LATE.value, late=True)),
    (Failure.CUT, Unanswered(reason=Failure.CUT.value)),
    (Failure.TOO_BIG, Unanswered(reason=Failure.TOO_BIG.value)),
    (Failure.UNREADABLE, Unanswered(reason=Failure.UNREADABLE.value)),
]


@pytest.mark.parametrize(("failure", "outcome"), FAILURES)
def test_a_failure_has_one_meaning(failure: Failure, outcome: Outcome) -> None:
    assert outcome_of_failure(failure) == outcome


def test_no_failure_is_without_a_meaning() -> None:
    assert [failure for failure, _ in FAILURES] == list(Failure)


def test_a_refusal_keeps_the_providers_words() -> None:
    refused = outcome_of(Answer.parse(422, body(9, "no (correct) recipients found", "recipients")))
    assert refused == Refused(reason="the provider answered 422; no (correct) recipients found (code 9) [recipients]")


def test_every_error_of_an_answer_is_told() -> None:
    errors = [*body(9, "one")["errors"], *body(10, "two")["errors"]]  # type: ignore[misc]
    assert outcome_of(Answer.parse(422, {"errors": errors})) == Refused(
        reason="the provider answered 422; one (code 9); two (code 10)"
    )


def test_a_redirect_names_its_status() -> None:
    assert outcome_of(Answer.parse(307, None)) == HeldOff(reason="the provider answered 307")


#: The time of the answer: Wed, 21 Oct 2026 07:28:00 GMT.
NOW = 1792567680.0

RETRY_AFTER: list[tuple[str, float | None]] = [
    ("7", 7.0),
    (" 7 ", 7.0),
    ("0", 0.0),
    ("0.5", 0.5),
    ("3600", 3600.0),
    ("3601", 3600.0),
    ("9" * 19, 3600.0),
    ("9" * 5000, None),
    ("-1", None),
    ("nan", None),
    ("inf", None),
    ("1e3", None),
    ("٣", None),
    ("Wed, 21 Oct 2026 07:28:07 GMT", 7.0),
    (" Wed, 21 Oct 2026 07:28:07 GMT ", 7.0),
    ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
    ("Thu, 22 Oct 2026 07:28:00 GMT", 3600.0),
    ("Fri, 32 Oct 2026 07:28:00 GMT", None),
    ("Wed, 21 Oct 2026 07:28:07", None),
    ("Wed, 21 Xyz 2026 07:28:07 GMT", None),
    ("", None),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_carefully(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", fullmatch=True))
def test_no_retry_after_breaks_the_reading_or_asks_for_more_than_an_hour(header: str) -> None:
    assert 0.0 <= (retry_after_s(header, NOW) or 0.0) <= 3600.0


def test_a_date_is_held_against_the_providers_own_clock_if_it_tells_the_time() -> None:
    until, date = "Wed, 21 Oct 2026 07:28:07 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"
    assert Reply(status=429, decoded=None, retry_after=until, date=date).wait_s(NOW - 100.0) == 7.0
    assert Reply(status=429, decoded=None, retry_after=until).wait_s(NOW + 5.0) == 2.0


def test_the_wait_that_is_asked_for_is_kept() -> None:
    throttled = outcome_of(Answer.parse(429, None, 7.0))
    assert throttled == Throttled(reason="the provider answered 429", retry_after_s=7.0)
    doubted = outcome_of(Answer.parse(503, None, 7.0))
    assert doubted == Unanswered(reason="the provider answered 503", retry_after_s=7.0)


def test_a_reason_has_neither_key_nor_text_nor_number() -> None:
    echo = body(9, f"key {KEY} may not send 'Your code is 4711' to 1234 and +31612345678", KEY)
    outcome = outcome_of(Answer.parse(422, echo), [KEY, "Your code is 4711", "1234"])
    assert outcome == Refused(
        reason="the provider answered 422; key *** may not send '***' to *** and +*** (code 9) [***]"
    )


def test_of_two_hidden_words_the_longer_one_goes() -> None:
    outcome = outcome_of(Answer.parse(422, body(9, "Your code is 4711")), ["Your", "Your code is 4711"])
    assert outcome == Refused(reason="the provider answered 422; *** (code 9)")


def test_a_short_text_does_not_blot_out_the_reason() -> None:
    assert outcome_of(Answer.parse(422, body(9, "no recipients")), ["", "e", "no"]) == Refused(
        reason="the provider answered 422; no recipients (code 9)"
    )


def test_a_reason_is_one_short_line() -> None:
    outcome = outcome_of(Answer.parse(422, body(9, "a\r\n\x1b[31mb\t c" + "x" * 5000)))
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("the provider answered 422; a [31mb cxxx")
    assert outcome.reason.isprintable()
    assert len(outcome.reason) < MAX_WORDS + 60


def test_only_a_few_of_many_errors_are_told() -> None:
    outcome = outcome_of(Answer.parse(422, {"errors": body(9, "y")["errors"] * 999}))  # type: ignore[operator]
    assert isinstance(outcome, Refused)
    assert outcome.reason.count("y (code 9)") == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["errors", "id", "code", "description"]), each),
)


@given(status=st.integers(100, 999), decoded=JSON, header=st.text())
def test_whatever_is_answered_is_an_outcome(status: int, decoded: object, header: str) -> None:
    wait_s = Reply(status=status, decoded=decoded, retry_after=header).wait_s(NOW)
    outcome = outcome_of(Answer.parse(status, decoded, wait_s), ["hidden"])
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome, Accepted) <= (200 <= status < 300)
    assert json.dumps(str(outcome))
