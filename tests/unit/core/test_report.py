"""What becomes of a message's deliveries as reports come in, in whatever order."""

from itertools import permutations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn
from smsd.core.lifecycle import TRANSITIONS, State
from smsd.core.report import Delivery, DeliveryStatus, Report, merge, reported, verdict

ANN, BOB, EVE = Msisdn("31612345001"), Msisdn("31612345002"), Msisdn("31612345666")
OPEN = [DeliveryStatus.SCHEDULED, DeliveryStatus.SENT, DeliveryStatus.BUFFERED]
FINAL = [DeliveryStatus.DELIVERED, DeliveryStatus.EXPIRED, DeliveryStatus.DELIVERY_FAILED]


def report(status: DeliveryStatus, at: float = 10.0, recipient: Msisdn = ANN, reason: str = "") -> Report:
    return Report(reference="01TEST", recipient=recipient, status=status, at=at, reason=reason)


def after(*reports: Report) -> tuple[Delivery, ...]:
    deliveries: tuple[Delivery, ...] = ()
    for one in reports:
        deliveries = merge(deliveries, one)
    return deliveries


def status_after(*reports: Report) -> DeliveryStatus:
    (delivery,) = after(*reports)
    return delivery.status


def test_the_statuses_are_the_providers_and_three_of_them_are_final() -> None:
    assert [status.value for status in OPEN + FINAL] == [
        *("scheduled", "sent", "buffered"),
        *("delivered", "expired", "delivery_failed"),
    ]
    assert [status for status in DeliveryStatus if status.is_final] == FINAL
    assert list(DeliveryStatus) == OPEN + FINAL


def test_all_that_a_report_says_of_its_recipient_is_kept() -> None:
    told = Report(
        reference="01TEST",
        recipient=ANN,
        status=DeliveryStatus.DELIVERY_FAILED,
        at=12.5,
        reason="unknown subscriber",
        error_code=1,
        network="20408",
        provider_id="p1",
    )
    expected = attrs.asdict(told, recurse=False)
    del expected["reference"], expected["provider_id"]
    assert [attrs.asdict(delivery, recurse=False) for delivery in after(told)] == [expected]


@pytest.mark.parametrize("then", list(DeliveryStatus))
@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("at", [5.0, 10.0, 15.0])
def test_a_final_status_is_neither_taken_back_nor_replaced_by_another(
    final: DeliveryStatus, then: DeliveryStatus, at: float
) -> None:
    before = after(report(final))
    assert merge(before, report(then, at)) is before


@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("first", OPEN)
@pytest.mark.parametrize("at", [5.0, 10.0, 15.0])
def test_a_final_status_replaces_an_open_one_even_when_an_operators_clock_lags(
    first: DeliveryStatus, final: DeliveryStatus, at: float
) -> None:
    assert status_after(report(first), report(final, at)) is final


def test_a_later_open_status_replaces_an_earlier_one_and_a_late_report_does_not() -> None:
    assert status_after(report(DeliveryStatus.BUFFERED, 10.0), report(DeliveryStatus.SENT, 10.5)) is DeliveryStatus.SENT
    assert status_after(report(DeliveryStatus.SENT, 10.5), report(DeliveryStatus.BUFFERED, 10.0)) is DeliveryStatus.SENT


@pytest.mark.parametrize(("first", "second"), list(permutations(OPEN, 2)))
def test_of_two_open_statuses_at_the_same_time_the_one_further_along_stands(
    first: DeliveryStatus, second: DeliveryStatus
) -> None:
    assert status_after(report(first), report(second)) is max(first, second, key=OPEN.index)


@pytest.mark.parametrize("status", list(DeliveryStatus))
def test_a_repeated_report_leaves_the_very_same_deliveries(status: DeliveryStatus) -> None:
    before = after(report(status))
    assert merge(before, report(status)) is before


def test_a_report_touches_its_own_recipient_only() -> None:
    before = after(report(DeliveryStatus.SENT, recipient=BOB), report(DeliveryStatus.SENT))
    ann, bob = merge(before, report(DeliveryStatus.DELIVERED, 11.0))
    assert (ann.recipient, ann.status, ann.at) == (ANN, DeliveryStatus.DELIVERED, 11.0)
    assert bob is before[1]


@st.composite
def reports_without_conflict(draw: st.DrawFn) -> list[Report]:
    """Reports of two recipients, each with at most one final status, and one reason for a status at a time."""
    told: list[Report] = []
    for recipient in (ANN, BOB):
        moments = st.tuples(st.sampled_from(OPEN), st.sampled_from([1.0, 2.0, 3.0]))
        told += [report(status, at, recipient) for status, at in draw(st.sets(moments))]
        if draw(st.booleans()):
            told.append(report(draw(st.sampled_from(FINAL)), draw(st.sampled_from([0.0, 2.0, 4.0])), recipient))
    return told


@given(told=reports_without_conflict(), data=st.data())
def test_any_order_and_repetition_ends_in_the_same_deliveries(told: list[Report], data: st.DataObject) -> None:
    repeated = told + (data.draw(st.lists(st.sampled_from(told))) if told else [])
    shuffled = data.draw(st.permutations(repeated))
    assert after(*shuffled) == after(*told)


@given(st.lists(st.builds(report, st.sampled_from(DeliveryStatus), st.floats(0.0, 9.0), st.sampled_from([ANN, BOB]))))
def test_once_final_always_final_whatever_comes(told: list[Report]) -> None:
    deliveries: tuple[Delivery, ...] = ()
    for one in told:
        before, deliveries = deliveries, merge(deliveries, one)
        assert {delivery for delivery in before if delivery.status.is_final} <= set(deliveries)
        assert len({delivery.recipient for delivery in deliveries}) == len(deliveries)


@pytest.mark.parametrize(
    ("ann", "bob", "state"),
    [
        (None, None, None),
        (DeliveryStatus.DELIVERED, None, None),
        (DeliveryStatus.DELIVERY_FAILED, DeliveryStatus.BUFFERED, None),
        (DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED, State.DELIVERED),
        (DeliveryStatus.DELIVERED, DeliveryStatus.EXPIRED, State.UNDELIVERED),
        (DeliveryStatus.DELIVERY_FAILED, DeliveryStatus.DELIVERED, State.UNDELIVERED),
        (DeliveryStatus.EXPIRED, DeliveryStatus.EXPIRED, State.UNDELIVERED),
    ],
)
def test_a_message_is_delivered_when_all_have_it_and_undelivered_when_all_are_final_and_one_has_not(
    ann: DeliveryStatus | None, bob: DeliveryStatus | None, state: State | None
) -> None:
    told = [report(status, recipient=who) for who, status in ((ANN, ann), (BOB, bob)) if status is not None]
    assert verdict((BOB, ANN), after(*told)) is state


def test_a_delivery_to_somebody_else_decides_nothing() -> None:
    assert verdict((ANN,), after(report(DeliveryStatus.DELIVERED, recipient=EVE))) is None


def test_the_last_report_brings_the_state_and_its_repetition_brings_none() -> None:
    deliveries, state = reported((ANN, BOB), (), report(DeliveryStatus.DELIVERED))
    assert (len(deliveries), state) == (1, None)
    last = report(DeliveryStatus.EXPIRED, recipient=BOB)
    deliveries, state = reported((ANN, BOB), deliveries, last)
    assert (len(deliveries), state) == (2, State.UNDELIVERED)
    again, state = reported((ANN, BOB), deliveries, last)
    assert again is deliveries
    assert state is None


def test_a_report_about_a_number_that_the_message_did_not_go_to_changes_nothing() -> None:
    before = after(report(DeliveryStatus.SENT))
    deliveries, state = reported((ANN,), before, report(DeliveryStatus.DELIVERED, recipient=EVE))
    assert deliveries is before
    assert state is None


def test_a_verdict_is_a_state_that_a_sent_message_may_go_to() -> None:
    verdicts = {verdict((ANN,), after(report(status))) for status in DeliveryStatus}
    assert verdicts - {None} == TRANSITIONS[State.SENT]


@pytest.mark.parametrize(
    ("reason", "error_code", "words"),
    [
        ("", None, "delivery_failed"),
        ("unknown subscriber", None, "delivery_failed: unknown subscriber"),
        ("unknown subscriber", 1, "delivery_failed: unknown subscriber (code 1)"),
        ("", 0, "delivery_failed (code 0)"),
    ],
)
def test_a_delivery_says_in_words_what_happened(reason: str, error_code: int | None, words: str) -> None:
    failed = Delivery(
        recipient=ANN, status=DeliveryStatus.DELIVERY_FAILED, at=1.0, reason=reason, error_code=error_code
    )
    assert failed.words() == words
