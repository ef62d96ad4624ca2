import attrs
import pytest

from smsd.core.address import Msisdn
from smsd.core.doubt import LOOKUP_PATIENCE_S, clear_up, doubt, is_repeatable, repeat
from smsd.core.errors import NotAllowed, StillSending
from smsd.core.lifecycle import State
from smsd.core.message import MAX_HISTORY, Message
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    LookupFailed,
    NotFound,
    Outcome,
    PartlyRefused,
    Postponed,
    Refused,
    Throttled,
    Unanswered,
)
from smsd.core.policy import Doubt, Policy
from smsd.core.report import DeliveryStatus, Report
from smsd.core.retry import Backoff
from smsd.core.settle import abandon, begin, cancel, expire, reported, revive, settle
from tests.messages import message

BACKOFF = Backoff(base_s=1.0, cap_s=300.0)
PATIENT = Policy(backoff=BACKOFF, grace_s=10.0)
SENDING = begin(message(), now=100.0, gateway="test")
UNCERTAIN = settle(SENDING, Unanswered(reason="read timeout"), 120.0, PATIENT, 0.5)


def test_an_attempt_is_counted_before_the_provider_is_called() -> None:
    assert (SENDING.state, SENDING.attempts, SENDING.attempted_at) == (State.SENDING, 1, 100.0)


def test_an_accepted_message_is_sent_as_of_the_answer_and_keeps_the_time_it_was_asked_for() -> None:
    sent = settle(SENDING, Accepted(provider_id="p1"), 101.0, PATIENT, 0.5)
    assert (sent.state, sent.provider_id, sent.sent_at, sent.not_before) == (State.SENT, "p1", 101.0, 0.0)


def test_a_message_remembers_where_its_last_attempt_went() -> None:
    assert SENDING.gateway == "test"


def test_a_refused_message_is_dead_at_once_with_the_providers_words() -> None:
    dead = settle(SENDING, Refused(reason="no (correct) recipients found"), 101.0, PATIENT, 0.5)
    assert (dead.state, dead.error) == (State.DEAD, "no (correct) recipients found")
    assert dead.history[-1].detail == "no (correct) recipients found"


@pytest.mark.parametrize(
    ("attempts", "draw", "wait_s"), [(1, 0.5, 0.5), (2, 0.5, 1.0), (5, 0.999, 15.984), (40, 0.5, 150.0)]
)
def test_a_postponed_message_waits_longer_each_time_but_no_longer_than_the_cap(
    attempts: int, draw: float, wait_s: float
) -> None:
    sending = begin(message(attempts=attempts - 1), now=100.0, gateway="test")
    queued = settle(sending, Postponed(reason="refused"), 101.0, PATIENT, draw)
    assert queued.state is State.QUEUED
    assert queued.not_before == pytest.approx(101.0 + wait_s)


def test_a_provider_that_did_not_answer_but_says_when_is_not_asked_sooner() -> None:
    doubted = settle(SENDING, Unanswered(reason="503", retry_after_s=30.0), 101.0, PATIENT, 0.5)
    assert (doubted.state, doubted.not_before) == (State.UNCERTAIN, 131.0)


def test_a_throttled_message_waits_with_all_the_others_and_not_by_itself() -> None:
    queued = settle(SENDING, Throttled(reason="429", retry_after_s=30.0), 101.0, PATIENT, 0.5)
    assert (queued.state, queued.not_before, queued.attempts) == (State.QUEUED, 101.0, 1)


@pytest.mark.parametrize(("limit", "state"), [(0, State.QUEUED), (1, State.DEAD), (2, State.QUEUED)])
def test_a_message_is_dead_when_it_is_out_of_tries_and_zero_means_never(limit: int, state: State) -> None:
    policy = Policy(backoff=BACKOFF, attempts=limit)
    assert settle(SENDING, Postponed(reason="refused"), 101.0, policy, 0.5).state is state
    assert settle(SENDING, Throttled(reason="429"), 101.0, policy, 0.5).state is state


def test_a_wrong_key_costs_the_message_no_try() -> None:
    queued = settle(SENDING, HeldOff(reason="wrong key"), 101.0, Policy(backoff=BACKOFF, attempts=1), 0.5)
    assert (queued.state, queued.attempts) == (State.QUEUED, 0)


def test_not_found_is_believed_only_after_the_grace_time_that_follows_the_silence() -> None:
    soon = clear_up(UNCERTAIN, NotFound(), 129.0, PATIENT, doubted_s=9.0, draw=0.5)
    assert (soon.state, soon.not_before, soon.changed_at) == (State.UNCERTAIN, 130.0, 120.0)
    later = clear_up(soon, NotFound(), 130.0, PATIENT, doubted_s=10.0, draw=0.5)
    assert later.state is State.QUEUED


def test_what_was_not_found_waits_like_what_was_postponed() -> None:
    again = clear_up(attrs.evolve(UNCERTAIN, attempts=3), NotFound(), 130.0, PATIENT, doubted_s=10.0, draw=0.5)
    assert again.not_before == 132.0


def test_a_message_remembers_only_its_latest_events() -> None:
    message = SENDING
    for _ in range(MAX_HISTORY + 5):
        postponed = settle(message, Postponed(reason="refused"), 101.0, PATIENT, 0.5)
        message = begin(postponed, now=102.0, gateway="test")
    assert len(message.history) == MAX_HISTORY


def test_what_the_provider_has_is_sent_and_never_again() -> None:
    sent = clear_up(UNCERTAIN, Found(provider_id="p1"), 121.0, PATIENT, doubted_s=1.0, draw=0.5)
    assert (sent.state, sent.provider_id, sent.sent_at) == (State.SENT, "p1", 100.0)


def test_a_message_not_found_that_is_out_of_tries_is_dead() -> None:
    policy = Policy(backoff=BACKOFF, attempts=1)
    assert clear_up(UNCERTAIN, NotFound(), 130.0, policy, doubted_s=10.0, draw=0.5).state is State.DEAD


@pytest.mark.parametrize(("doubt", "state"), [(Doubt.RESEND, State.QUEUED), (Doubt.HOLD, State.UNCERTAIN)])
def test_what_cannot_be_told_for_long_is_decided_by_the_setting(doubt: Doubt, state: State) -> None:
    policy = Policy(backoff=BACKOFF, doubt=doubt)
    failed = LookupFailed(reason="503")
    early = clear_up(UNCERTAIN, failed, 130.0, policy, doubted_s=LOOKUP_PATIENCE_S - 1, draw=0.5)
    assert (early.state, early.not_before > early.changed_at) == (State.UNCERTAIN, True)
    assert clear_up(UNCERTAIN, failed, 130.0, policy, doubted_s=LOOKUP_PATIENCE_S, draw=0.5).state is state


def test_what_cannot_be_told_goes_to_no_other_provider_if_it_is_to_stay() -> None:
    failed = LookupFailed(reason="503")
    asked = attrs.evolve(UNCERTAIN, tried_since=None)
    given = {"doubted_s": LOOKUP_PATIENCE_S, "draw": 0.5}
    assert clear_up(asked, failed, 130.0, PATIENT, **given, stays=True).is_repeat
    assert not clear_up(asked, failed, 130.0, PATIENT, **given).is_repeat


def test_a_message_whose_sender_is_gone_is_uncertain() -> None:
    assert abandon(SENDING, 200.0).state is State.UNCERTAIN
    assert abandon(SENDING, 200.0).attempted_at == 100.0
    assert is_repeatable(abandon(SENDING, 200.0), 200.0, PATIENT, window_s=101.0)


def test_a_message_past_its_validity_expires() -> None:
    stale = message(valid_until=50.0)
    assert not stale.is_stale(49.9)
    assert stale.is_stale(50.0)
    assert expire(stale, 50.0).state is State.EXPIRED


def report(status: DeliveryStatus, recipient: str = "31633450007") -> Report:
    return Report(reference="01TEST", recipient=Msisdn(recipient), status=status, at=150.0, provider_id="p1")


def test_a_report_on_what_is_being_sent_has_to_wait() -> None:
    with pytest.raises(StillSending):
        reported(SENDING, report(DeliveryStatus.DELIVERED), 160.0)


@pytest.mark.parametrize("doubted", [UNCERTAIN, settle(SENDING, Postponed(reason="refused"), 101.0, PATIENT, 0.5)])
def test_a_report_shows_that_the_provider_has_it_after_all(doubted: Message) -> None:
    sent = reported(doubted, report(DeliveryStatus.BUFFERED), 160.0)
    assert (sent.state, sent.provider_id) == (State.SENT, "p1")


def test_a_report_on_what_was_never_tried_changes_no_state() -> None:
    assert reported(message(), report(DeliveryStatus.DELIVERED), 160.0).state is State.QUEUED


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([DeliveryStatus.DELIVERED], State.SENT),
        ([DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED], State.DELIVERED),
        ([DeliveryStatus.EXPIRED, DeliveryStatus.DELIVERED], State.UNDELIVERED),
    ],
)
def test_a_message_to_two_is_delivered_when_both_have_it(statuses: list[DeliveryStatus], state: State) -> None:
    numbers = ["31633450007", "31633450008"]
    both = attrs.evolve(SENDING, recipients=tuple(map(Msisdn, numbers)))
    after = settle(both, Accepted(provider_id="p1"), 101.0, PATIENT, 0.5)
    for status, number in zip(statuses, numbers, strict=False):
        after = reported(after, report(status, number), 160.0)
    assert after.state is state


def test_a_repeated_report_changes_nothing() -> None:
    sent = settle(SENDING, Accepted(provider_id="p1"), 101.0, PATIENT, 0.5)
    once = reported(sent, report(DeliveryStatus.DELIVERED), 160.0)
    assert reported(once, report(DeliveryStatus.DELIVERED), 170.0) is once
    assert reported(once, report(DeliveryStatus.EXPIRED), 170.0) is once


REPEATED = repeat(UNCERTAIN, 121.0, PATIENT, 0.5)
SURELY_NOT = [Postponed(reason="refused"), Throttled(reason="429"), HeldOff(reason="no balance")]


def test_what_may_have_been_taken_may_go_again_while_the_provider_would_know_it_for_the_same() -> None:
    assert is_repeatable(UNCERTAIN, 199.9, PATIENT, window_s=100.0)
    assert not is_repeatable(UNCERTAIN, 200.0, PATIENT, window_s=100.0)
    assert not is_repeatable(UNCERTAIN, 121.0, PATIENT, window_s=0.0)


def test_a_clock_that_was_set_back_makes_nothing_repeatable() -> None:
    assert not is_repeatable(UNCERTAIN, 99.9, PATIENT, window_s=100.0)


def test_the_window_is_counted_from_the_first_of_all_attempts_that_may_be_the_same_one() -> None:
    twice = settle(begin(REPEATED, 150.0, "test"), Unanswered(reason="reset"), 151.0, PATIENT, 0.5)
    assert (twice.tried_since, twice.attempted_at) == (100.0, 150.0)
    assert not is_repeatable(twice, 200.0, PATIENT, window_s=100.0)


def test_what_is_stale_or_out_of_tries_is_asked_for_and_not_repeated() -> None:
    assert not is_repeatable(attrs.evolve(UNCERTAIN, valid_until=121.0), 121.0, PATIENT, window_s=100.0)
    assert not is_repeatable(UNCERTAIN, 121.0, Policy(backoff=BACKOFF, attempts=1), window_s=100.0)


def test_a_repeat_goes_again_soon_and_is_known_for_one() -> None:
    assert (REPEATED.state, REPEATED.not_before, REPEATED.is_repeat) == (State.QUEUED, 121.5, True)
    assert not message().is_repeat


def test_what_the_provider_broke_down_over_is_asked_for_before_it_goes_again() -> None:
    broken = settle(SENDING, Unanswered(reason="500", is_fault=True), 120.0, PATIENT, 0.5)
    assert (broken.state, broken.asks_first, broken.tried_since) == (State.UNCERTAIN, True, 100.0)
    assert not repeat(broken, 121.0, PATIENT, 0.5).asks_first
    assert not UNCERTAIN.asks_first


def test_a_repeat_whose_key_is_of_no_more_use_is_asked_for() -> None:
    spent = settle(begin(REPEATED, 150.0, "test"), Unanswered(reason="409", repeatable=False), 151.0, PATIENT, 0.5)
    assert (spent.state, is_repeatable(spent, 151.0, PATIENT, window_s=100.0)) == (State.UNCERTAIN, False)


@pytest.mark.parametrize("outcome", SURELY_NOT)
def test_an_attempt_that_was_surely_not_taken_says_nothing_of_the_one_before(outcome: Outcome) -> None:
    first = settle(SENDING, outcome, 101.0, PATIENT, 0.5)
    assert (first.state, first.tried_since) == (State.QUEUED, None)
    second = settle(begin(REPEATED, 150.0, "test"), outcome, 151.0, PATIENT, 0.5)
    since = None if isinstance(outcome, HeldOff) else 100.0
    assert (second.state, second.tried_since) == (State.UNCERTAIN, since)


def test_what_the_provider_does_not_list_is_another_attempt_when_it_goes_again() -> None:
    again = clear_up(UNCERTAIN, NotFound(), 130.0, PATIENT, doubted_s=10.0, draw=0.5)
    assert begin(again, 140.0, "test").tried_since == 140.0


def test_a_repeat_that_cannot_be_sent_any_more_is_asked_for() -> None:
    for after in (doubt(REPEATED, 150.0), expire(attrs.evolve(REPEATED, valid_until=140.0), 150.0)):
        assert (after.state, after.tried_since) == (State.UNCERTAIN, None)
    with pytest.raises(NotAllowed):
        doubt(message(), 150.0)


def test_a_message_that_the_provider_may_have_cannot_be_called_back() -> None:
    with pytest.raises(NotAllowed, match="uncertain"):
        cancel(REPEATED, 150.0)


ANN, BOB = Msisdn("31600000001"), Msisdn("31600000002")
BOTH = begin(message(recipients=(ANN, BOB)), 100.0, "test")
PARTLY = settle(BOTH, PartlyRefused(reasons=((BOB, "opted out"),)), 101.0, PATIENT, 0.5)


def test_whom_the_provider_refuses_does_not_take_the_others_down() -> None:
    assert (PARTLY.state, PARTLY.remaining, PARTLY.not_before, PARTLY.tried_since) == (
        State.QUEUED,
        (ANN,),
        101.0,
        None,
    )
    assert [(each.recipient, each.status, each.reason) for each in PARTLY.deliveries] == [
        (BOB, DeliveryStatus.DELIVERY_FAILED, "opted out")
    ]


def test_a_message_of_which_a_part_was_refused_is_undelivered_once_the_others_have_it() -> None:
    sent = settle(begin(PARTLY, 102.0, "test"), Accepted(provider_id="p1"), 103.0, PATIENT, 0.5)
    assert (sent.state, sent.sent_at) == (State.SENT, 103.0)
    assert reported(sent, report(DeliveryStatus.DELIVERED, ANN.digits), 160.0).state is State.UNDELIVERED


def test_a_message_whose_every_recipient_was_refused_is_dead_and_its_replay_goes_to_all() -> None:
    dead = settle(begin(PARTLY, 102.0, "test"), PartlyRefused(reasons=((ANN, "no"),)), 103.0, PATIENT, 0.5)
    assert dead.state is State.DEAD
    assert revive(dead, 104.0).remaining == (ANN, BOB)
