"""A provider that refuses several recipients together does not keep those from an SMS whom it would take."""

from collections import Counter
from itertools import count

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn
from smsd.core.doubt import clear_up
from smsd.core.errors import StillSending
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.outcome import Accepted, Found, NotFound, Outcome, PartlyRefused, Postponed, Refused, Spared, Unanswered
from smsd.core.policy import Policy
from smsd.core.report import DeliveryStatus, Report
from smsd.core.retry import Backoff
from smsd.core.settle import begin, reported, revive, settle
from tests.messages import message

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0), attempts=2)
NUMBERS = tuple(Msisdn(str(31600000000 + number)) for number in range(50))
NAMELESS = Spared(reason="422", half=0)


def after(given: Message, *outcomes: Outcome) -> Message:
    """``given``, a queued message, after an attempt for each of ``outcomes``."""
    for outcome, now in zip(outcomes, count(int(given.changed_at) + 1)):
        given = settle(begin(given, now, "bird"), outcome, now + 0.5, POLICY, 0.5)
    return given


def told(recipient: Msisdn, status: DeliveryStatus = DeliveryStatus.DELIVERED) -> Report:
    return Report(reference="m", recipient=recipient, status=status, at=900.0, provider_id="theirs")


def in_doubt(given: Message) -> Message:
    return after(given, Unanswered(reason="reset"))


FOUR = message(recipients=NUMBERS[:4])
#: The first two have it.
HALF = after(FOUR, NAMELESS, Accepted(provider_id="p1"))


def exchanged(refused: frozenset[Msisdn], given: Message) -> tuple[Message, Counter[Msisdn], int]:
    """``given`` as a provider leaves it that refuses whatever is for one of ``refused``, and who got it how often."""
    got: Counter[Msisdn] = Counter()
    requests = 0
    while given.state is State.QUEUED:
        going = given.going
        outcome: Outcome = Accepted(provider_id=f"p{requests}")
        if refused & set(going):
            outcome = NAMELESS if len(going) > 1 else Refused(reason="no such number")
        else:
            got.update(going)
        given = after(given, outcome)
        requests += 1
    return given, got, requests


@given(st.integers(2, 50), st.sets(st.integers(0, 49)))
def test_everybody_but_those_who_are_refused_gets_it_once(size: int, places: set[int]) -> None:
    numbers = NUMBERS[:size]
    refused = frozenset(NUMBERS[place] for place in places) & frozenset(numbers)
    done, got, requests = exchanged(refused, message(recipients=numbers))
    assert got == Counter(set(numbers) - refused)
    assert done.state is (State.DEAD if len(refused) == size else State.SENT)
    assert requests <= 2 * size + 6
    if done.state is State.SENT:
        failed = {each.recipient for each in done.deliveries if each.status is DeliveryStatus.DELIVERY_FAILED}
        assert failed == refused
        assert done.portion == 0


def test_one_among_fifty_is_found_in_some_twenty_requests() -> None:
    for number in NUMBERS:
        assert exchanged(frozenset({number}), message(recipients=NUMBERS))[2] <= 21


def test_if_all_are_refused_it_is_dead_with_the_providers_words() -> None:
    dead, _, requests = exchanged(frozenset(NUMBERS), message(recipients=NUMBERS))
    assert (dead.state, requests) == (State.DEAD, 55)
    assert dead.error == "1 of 50 recipients were refused: no such number"
    assert revive(dead, 9000.0).going == NUMBERS


def test_a_refusal_that_names_nobody_leads_to_a_request_for_half_of_them() -> None:
    half = after(FOUR, NAMELESS)
    assert (half.state, half.going, half.attempts, half.tried_since) == (State.QUEUED, NUMBERS[:2], 0, None)
    assert [(each.what, each.detail) for each in half.history] == [(What.PARTLY_REFUSED, "422")]
    assert not half.may_have_company


def test_who_has_it_is_written_down_and_the_others_are_next() -> None:
    assert (HALF.state, HALF.going, HALF.provider_id) == (State.QUEUED, NUMBERS[2:4], "p1")
    assert [(each.recipient, each.status) for each in HALF.deliveries] == [
        (number, DeliveryStatus.SCHEDULED) for number in NUMBERS[:2]
    ]
    assert HALF.history[-1].detail == "the provider has it for 2 of 4 recipients"


def test_a_portion_that_may_have_been_taken_goes_again_as_it_was() -> None:
    doubted = in_doubt(HALF)
    assert (doubted.state, doubted.going) == (State.UNCERTAIN, NUMBERS[2:4])
    assert doubted.tried_since is not None
    for result in (NotFound(), Found(provider_id="p2")):
        cleared = clear_up(doubted, result, 99.0, POLICY, doubted_s=60.0, draw=0.5)
        assert cleared.state is (State.SENT if isinstance(result, Found) else State.QUEUED)
        assert cleared.recipients == FOUR.recipients
    assert cleared.provider_id == "p2"


def test_what_is_found_of_a_portion_is_not_the_whole() -> None:
    found = clear_up(in_doubt(after(FOUR, NAMELESS)), Found(provider_id="p1"), 99.0, POLICY, doubted_s=1.0, draw=0.5)
    assert (found.state, found.going) == (State.QUEUED, NUMBERS[2:4])


def test_a_failure_in_between_changes_nothing_about_who_is_next() -> None:
    assert after(HALF, Postponed(reason="refused")).going == NUMBERS[2:4]


def test_the_tries_of_one_portion_do_not_count_against_the_next() -> None:
    failed = Postponed(reason="refused")
    slow = after(message(recipients=NUMBERS[:8]), failed, NAMELESS, failed, NAMELESS, failed, Accepted(provider_id="p"))
    assert (slow.attempts, after(slow, failed).state) == (0, State.QUEUED)


def test_whom_the_provider_names_in_a_portion_is_refused_and_the_others_go_on() -> None:
    named = after(HALF, PartlyRefused(reasons=((NUMBERS[2], "opted out"),)))
    assert (named.state, named.going) == (State.QUEUED, (NUMBERS[3],))
    last = after(named, Refused(reason="no"))
    assert (last.state, last.provider_id) == (State.SENT, "p1")
    assert last.history[-2].detail == "1 of 4 recipients were refused: no"
    for number in NUMBERS[:2]:
        last = reported(last, told(number), 999.0)
    assert last.state is State.UNDELIVERED


def test_a_report_on_a_portion_that_is_in_doubt_shows_that_it_was_taken() -> None:
    shown = reported(in_doubt(after(FOUR, NAMELESS)), told(NUMBERS[1]), 99.0)
    assert (shown.state, shown.going, shown.provider_id) == (State.QUEUED, NUMBERS[2:4], "theirs")
    assert [each.status for each in shown.deliveries] == [DeliveryStatus.SCHEDULED, DeliveryStatus.DELIVERED]
    done = reported(in_doubt(shown), told(NUMBERS[2]), 999.0)
    assert done.state is State.SENT


@pytest.mark.parametrize("given", [HALF, in_doubt(HALF), begin(HALF, 90.0, "bird")])
def test_a_report_on_who_has_it_comes_again_once_all_have(given: Message) -> None:
    with pytest.raises(StillSending):
        reported(given, told(NUMBERS[0]), 99.0)


def test_once_all_is_told_when_the_last_portion_is_refused_it_is_undelivered() -> None:
    shown = reported(in_doubt(after(message(recipients=NUMBERS[:2]), NAMELESS)), told(NUMBERS[0]), 99.0)
    last = after(shown, Refused(reason="no"))
    assert (last.state, last.error) == (State.UNDELIVERED, "delivery_failed: no")


def test_its_replay_goes_to_nobody_who_has_it() -> None:
    dead = after(HALF, *[Postponed(reason="refused")] * 2)
    assert (dead.state, dead.portion) == (State.DEAD, 0)
    revived = revive(dead, 900.0)
    assert revived.going == NUMBERS[2:4]
    with pytest.raises(StillSending):
        reported(revived, told(NUMBERS[0]), 901.0)
    assert after(revived, Accepted(provider_id="p2")).state is State.SENT


def test_what_went_in_company_stays_in_its_half_first() -> None:
    together = begin(FOUR, 5.0, "bird", "a bundle")
    alone = settle(together, NAMELESS, 6.0, POLICY, 0.5)
    assert (alone.portion, alone.bundle) == (0, "a bundle/0")
    assert attrs.evolve(after(alone, NAMELESS), history=()).portion == 2
