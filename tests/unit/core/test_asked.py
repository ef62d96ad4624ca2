import attrs

from smsd.core.address import Msisdn
from smsd.core.doubt import clear_up
from smsd.core.lifecycle import State
from smsd.core.outcome import Accepted, Found, LookupFailed, Unanswered
from smsd.core.policy import Policy
from smsd.core.report import DeliveryStatus, Report
from smsd.core.retry import Backoff
from smsd.core.settle import ASK_FOR_S, asked, begin, reported, settle
from smsd.core.steps import ASK_EVERY_S
from tests.messages import message

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=300.0))
ONE, OTHER = Msisdn("31633450007"), Msisdn("31633450008")
SENDING = begin(message(recipients=(ONE, OTHER)), now=100.0, gateway="test")
SENT = settle(SENDING, Accepted(provider_id="p1"), 101.0, POLICY, 0.5)


def told(status: DeliveryStatus, recipient: Msisdn = ONE) -> Report:
    return Report(reference="01TEST", recipient=recipient, status=status, at=200.0)


def test_what_is_sent_is_asked_for_an_hour_later() -> None:
    assert SENT.attend_at == 101.0 + ASK_EVERY_S
    silent = settle(SENDING, Unanswered(reason="read timeout"), 120.0, POLICY, 0.5)
    assert silent.attend_at is None
    found = clear_up(silent, Found(provider_id="p1"), 130.0, POLICY, doubted_s=10.0, draw=0.5)
    assert found.attend_at == 130.0 + ASK_EVERY_S


def test_a_verdict_of_its_own_accord_ends_the_asking() -> None:
    partly = reported(SENT, told(DeliveryStatus.DELIVERED), 300.0)
    assert (partly.state, partly.attend_at) == (State.SENT, SENT.attend_at)
    whole = reported(partly, told(DeliveryStatus.DELIVERED, OTHER), 301.0)
    assert (whole.state, whole.attend_at) == (State.DELIVERED, None)


def test_all_that_the_provider_tells_at_once_is_one_step() -> None:
    answer = (told(DeliveryStatus.DELIVERED), told(DeliveryStatus.EXPIRED, OTHER))
    after = asked(SENT, answer, 3701.0)
    assert (after.state, after.attend_at, len(after.deliveries)) == (State.UNDELIVERED, None, 2)


def test_without_a_verdict_it_is_asked_again_in_an_hour() -> None:
    for answer in ((), (told(DeliveryStatus.BUFFERED),), LookupFailed(reason="503")):
        after = asked(SENT, answer, 4000.0)
        assert (after.state, after.attend_at) == (State.SENT, 4000.0 + ASK_EVERY_S)


def test_after_a_day_it_is_asked_no_more() -> None:
    assert asked(SENT, (), 101.0 + ASK_FOR_S - 1).attend_at is not None
    over = asked(SENT, (), 101.0 + ASK_FOR_S)
    assert (over.state, over.attend_at) == (State.SENT, None)


def test_the_day_begins_when_it_is_known_to_be_sent() -> None:
    late = attrs.evolve(SENT, changed_at=500_000.0)  # found, days after the attempt
    assert asked(late, (), 503_600.0).attend_at == 507_200.0


def test_what_was_settled_meanwhile_stays_as_it_is() -> None:
    settled = asked(SENT, (told(DeliveryStatus.DELIVERED), told(DeliveryStatus.DELIVERED, OTHER)), 300.0)
    assert asked(settled, (told(DeliveryStatus.DELIVERY_FAILED),), 301.0) is settled
    assert asked(settled, LookupFailed(reason="503"), 301.0) is settled
