"""Every answer of Bird's means one thing for the message."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn
from smsd.core.outcome import Accepted, HeldOff, Outcome, PartlyRefused, Refused, Spared, Throttled, Unanswered
from smsd.gateway.bird_answers import BirdAnswer, Fault, outcomes_of, words

ANN, BOB, EVE = Msisdn("31612345001"), Msisdn("31612345002"), Msisdn("31612345666")
ONE, THREE = (ANN,), (ANN, BOB, EVE)


def outcome_of(answer: BirdAnswer, to: tuple[Msisdn, ...], hidden: Iterable[str] = ()) -> Outcome:
    (outcome,) = outcomes_of(answer, [to], hidden)
    return outcome


def told(status: int, to: tuple[Msisdn, ...] = ONE, **error: object) -> Outcome:
    return outcome_of(BirdAnswer.parse(status, {"error": error}), to)


MEANINGS: list[tuple[int, str, type[Outcome]]] = [
    (400, "bad_request_error", Refused),
    (400, "invalid_request", Refused),
    (401, "auth_error", HeldOff),
    (401, "authentication_failed", HeldOff),
    (402, "billing_error", HeldOff),
    (422, "insufficient_balance", HeldOff),
    (403, "permission_error", HeldOff),
    (403, "permission_denied", HeldOff),
    (404, "not_found_error", Refused),
    (409, "conflict_error", Unanswered),
    (413, "payload_too_large_error", Refused),
    (421, "misdirected_error", HeldOff),
    (422, "validation_error", Refused),
    (422, "invalid_recipient", Refused),
    (425, "too_early_error", Unanswered),
    (429, "rate_limit_error", Throttled),
    (429, "rate_limited", Throttled),
    (499, "client_closed_request_error", Unanswered),
    (500, "internal_error", Unanswered),
    (501, "not_implemented_error", Unanswered),
    (503, "service_unavailable_error", Unanswered),
]


@pytest.mark.parametrize(("status", "type_", "kind"), MEANINGS)
def test_each_type_of_error_means_one_thing(status: int, type_: str, kind: type[Outcome]) -> None:
    assert type(told(status, type=type_, message="so it is")) is kind


@pytest.mark.parametrize(("status", "kind"), [(s, k) for s, t, k in MEANINGS if t != "insufficient_balance"])
def test_without_a_type_that_is_known_the_status_says_it(status: int, kind: type[Outcome]) -> None:
    assert type(told(status)) is kind
    assert type(told(status, type="brand_new_error")) is kind


@pytest.mark.parametrize(("status", "kind"), [(302, HeldOff), (307, HeldOff), (408, Unanswered), (599, Unanswered)])
def test_what_no_error_of_theirs_comes_with_goes_by_its_status(status: int, kind: type[Outcome]) -> None:
    assert type(outcome_of(BirdAnswer.parse(status, None), ONE)) is kind


def test_a_5xx_may_have_been_taken_whatever_its_type_says() -> None:
    for error in ({"type": "rate_limited"}, {"type": "billing_error"}, {"name": "SMSRecipientOptedOut"}):
        outcome = told(500, **error)
        assert isinstance(outcome, Unanswered)
        assert outcome.repeatable
        assert outcome.is_fault


@pytest.mark.parametrize("name", ["SMSRecipientOptedOut", "recipient_opted_out", "recipient_suppressed"])
def test_who_has_opted_out_is_refused_for_himself_and_holds_nobody_up(name: str) -> None:
    outcome = told(403, type="permission_error", name=name, message="The recipient has opted out.")
    assert isinstance(outcome, Refused)
    assert "The recipient has opted out." in outcome.reason


@pytest.mark.parametrize(
    ("error", "repeatable"),
    [
        ({"type": "conflict_error", "code": "E01004"}, True),
        ({"type": "idempotency_key_in_use"}, True),
        ({"type": "conflict_error", "code": "E01005", "name": "IdempotencyKeyReuse"}, False),
        ({"type": "conflict"}, False),
    ],
)
def test_a_conflict_may_be_repeated_only_while_the_first_is_under_way(error: dict[str, str], repeatable: bool) -> None:
    outcome = told(409, **error)
    assert isinstance(outcome, Unanswered)
    assert outcome.repeatable is repeatable


def test_the_message_has_the_id_that_bird_gives_whatever_else_has_changed() -> None:
    assert outcome_of(BirdAnswer.parse(202, {"id": "sms_1", "segments": "many"}), ONE) == Accepted(provider_id="sms_1")
    batch = {"data": [{"id": "sms_1"}, {"id": "sms_2"}, {"id": "sms_3"}]}
    assert outcome_of(BirdAnswer.parse(202, batch), THREE) == Accepted(provider_id="sms_1")


@pytest.mark.parametrize(
    "body", [None, {}, [], {"id": 7.5}, {"data": []}, {"data": [{"id": "a"}, {}, {"id": "b"}]}, {"data": [{"id": "a"}]}]
)
def test_a_success_without_every_id_may_have_been_taken(body: object) -> None:
    assert isinstance(outcome_of(BirdAnswer.parse(202, body), THREE), Unanswered)


@pytest.mark.parametrize("param", ["messages[1].to", "[1].to", "messages.1.to", "messages[1]"])
def test_a_batch_is_refused_only_for_those_that_are_named(param: str) -> None:
    outcome = told(422, THREE, message="no", details=[{"param": param, "message": "cannot be routed"}])
    assert isinstance(outcome, PartlyRefused)
    ((number, reason),) = outcome.reasons
    assert number == BOB
    assert "cannot be routed" in reason


@pytest.mark.parametrize("param", ["from", "text", "category"])
def test_a_batch_that_is_refused_for_what_all_have_in_common_is_refused(param: str) -> None:
    assert isinstance(told(422, THREE, message="no", details=[{"param": param, "message": "no"}]), Refused)


@pytest.mark.parametrize("param", ["messages", "messages[3].to", "to", ".", ""])
def test_of_a_batch_that_is_refused_without_a_word_of_whom_it_has_to_show(param: str) -> None:
    outcome = told(422, THREE, message="no", details=[{"param": param, "message": "no"}])
    assert isinstance(outcome, Spared)
    assert outcome.half is not None


def test_one_that_is_named_alone_is_refused() -> None:
    assert isinstance(told(422, ONE, details=[{"param": "messages[0].to", "message": "no"}]), Refused)


def test_the_words_are_theirs_without_what_is_hidden() -> None:
    error = {
        "type": "validation_error",
        "code": "E01001",
        "name": "ValidationError",
        "message": "Request by bk_eu1_secret failed.",
        "details": [{"param": "to", "message": "+31612345001 cannot be routed"}],
        "doc_url": "https://docs.bird.com/errors/E01001",
    }
    assert words(BirdAnswer.parse(422, {"error": error}), ["bk_eu1_secret"]) == (
        "the provider answered 422; Request by *** failed. (ValidationError E01001); to: +*** cannot be routed; "
        "see https://docs.bird.com/errors/E01001"
    )


def test_an_error_that_is_not_wrapped_is_read_as_well() -> None:
    answer = BirdAnswer.parse(429, {"type": "rate_limited", "message": "Too many requests.", "param": "x"}, 2.0)
    assert outcome_of(answer, ONE) == Throttled(
        reason="the provider answered 429; Too many requests. (rate_limited); x: Too many requests.", retry_after_s=2.0
    )
    assert answer.faults == (Fault(param="x", message="Too many requests."),)


NAMES = st.sampled_from(["error", "data", "id", "details", "param"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(st.integers(100, 599), JSON)
def test_whatever_comes_back_is_an_outcome(status: int, body: object) -> None:
    outcome = outcome_of(BirdAnswer.parse(status, body), THREE)
    assert status // 100 in (2, 5, 1) or not isinstance(outcome, Accepted)


def test_of_a_request_for_several_messages_each_has_its_part_of_the_answer() -> None:
    items = [{"id": id} for id in "abcd"]
    outcomes = outcomes_of(BirdAnswer.parse(202, {"data": items}), [(ANN,), (BOB, EVE), (ANN,)])
    assert outcomes == [Accepted(provider_id=id) for id in "abd"]


@pytest.mark.parametrize("items", [[], [{"id": "a"}], [{"id": "a"}, {}], [{"id": id} for id in "abc"]])
def test_an_answer_for_another_number_of_messages_is_none(items: list[dict[str, str]]) -> None:
    outcomes = outcomes_of(BirdAnswer.parse(202, {"data": items}), [(ANN,), (BOB,)])
    assert all(isinstance(each, Unanswered) and each.is_fault for each in outcomes)


@pytest.mark.parametrize("param", ["messages[1].to", "messages[1]", "messages.1.to", "/messages/1/to", "[1].to"])
def test_a_message_is_named_in_any_of_the_ways_there_are(param: str) -> None:
    answer = BirdAnswer.parse(422, {"type": "invalid_recipient", "message": "no phone", "param": param})
    spared, refused = outcomes_of(answer, [(ANN,), (BOB,)])
    assert isinstance(refused, Refused)
    assert spared == Spared(reason=words(answer))


@pytest.mark.parametrize("error", [{}, {"param": "category"}, {"param": "messages[7].to", "message": "no phone"}])
def test_when_no_message_is_named_each_goes_alone_and_one_alone_is_refused(error: dict[str, str]) -> None:
    answer = BirdAnswer.parse(422, {"error": error})
    outcomes = outcomes_of(answer, [(ANN,), (BOB, EVE)])
    assert outcomes == [Spared(reason=words(answer), half=half) for half in (0, 1)]
    assert [type(each) for each in outcomes_of(answer, [(ANN,)])] == [Refused]
