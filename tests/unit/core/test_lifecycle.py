from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from smsd.core.doubt import clear_up, doubt
from smsd.core.errors import NotAllowed, StillSending
from smsd.core.lifecycle import OPEN, TRANSITIONS, State, advance, diagram
from smsd.core.message import Message
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    LookupFailed,
    LookupResult,
    NotFound,
    Outcome,
    Postponed,
    Refused,
    Throttled,
    Unanswered,
)
from smsd.core.policy import Policy
from smsd.core.report import DeliveryStatus, Report
from smsd.core.retry import Backoff
from smsd.core.settle import abandon, begin, cancel, expire, expire_held, reported, revive, settle
from tests.messages import message

ALLOWED = [(now, then) for now, following in TRANSITIONS.items() for then in State if then in following]
FORBIDDEN = [(now, then) for now in State for then in State if then not in TRANSITIONS[now]]


@pytest.mark.parametrize(("now", "then"), ALLOWED)
def test_what_the_table_lists_is_allowed(now: State, then: State) -> None:
    assert advance(now, then) is then


@pytest.mark.parametrize(("now", "then"), FORBIDDEN)
def test_what_the_table_does_not_list_is_refused_by_name(now: State, then: State) -> None:
    with pytest.raises(NotAllowed, match=f"A message that is {now.value} cannot become {then.value}"):
        advance(now, then)


def test_a_message_that_was_sent_can_never_be_queued_again() -> None:
    reached, following = set(), {State.SENT}
    while following - reached:
        reached |= following
        following = {then for state in reached for then in TRANSITIONS[state]}
    assert State.QUEUED not in reached


def test_every_open_state_leads_out_and_every_state_can_be_reached() -> None:
    assert all(TRANSITIONS[state] for state in OPEN)
    assert {then for following in TRANSITIONS.values() for then in following} | {State.QUEUED} == set(State)


def test_the_diagram_draws_each_transition_once() -> None:
    lines = diagram().splitlines()
    assert len(lines) == len(set(lines))
    assert all(f"    {now.value} --> {then.value}" in lines for now, then in ALLOWED)


Step = Callable[[Message], Message]


def answered(outcome: Outcome, attempts: int = 0) -> Step:
    policy = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0), attempts=attempts)
    return lambda message: settle(message, outcome, 100.0, policy, 0.5)


def looked_up(result: LookupResult, attempts: int = 0) -> Step:
    policy = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0), attempts=attempts)
    return lambda message: clear_up(message, result, 100.0, policy, doubted_s=9999.0, draw=0.5)


def told(status: DeliveryStatus) -> Step:
    report = Report(reference="01TEST", recipient=message().recipients[0], status=status, at=1.0)
    return lambda message: reported(message, report, 100.0)


#: Every step that there is, by the state that it makes: all of them refuse what the table does not list.
STEPS: dict[State, dict[str, Step]] = {
    State.SENDING: {"begin": lambda each: begin(each, 100.0, "test")},
    State.QUEUED: {
        "revive": lambda each: revive(each, 100.0),
        "postponed": answered(Postponed(reason="refused")),
        "throttled": answered(Throttled(reason="429")),
        "held off": answered(HeldOff(reason="wrong key")),
        "not found": looked_up(NotFound()),
        "cannot be told": looked_up(LookupFailed(reason="503")),
    },
    State.SENT: {"accepted": answered(Accepted(provider_id="p")), "found": looked_up(Found(provider_id="p"))},
    State.UNCERTAIN: {
        "unanswered": answered(Unanswered(reason="reset")),
        "abandon": lambda each: abandon(each, 100.0),
        "doubt": lambda each: doubt(each, 100.0),
    },
    State.DEAD: {
        "refused": answered(Refused(reason="422")),
        "out of tries": answered(Postponed(reason="refused"), attempts=1),
        "out of tries and not found": looked_up(NotFound(), attempts=1),
    },
    State.EXPIRED: {
        "expire": lambda each: expire(each, 100.0),
        "expire held": lambda each: expire_held(each, 100.0),
    },
    State.CANCELED: {"cancel": lambda each: cancel(each, 100.0)},
}
#: Status reports change nothing, in place of being refused: the provider cannot know what became of a message here.
REPORTED = {
    State.SENT: told(DeliveryStatus.BUFFERED),
    State.DELIVERED: told(DeliveryStatus.DELIVERED),
    State.UNDELIVERED: told(DeliveryStatus.EXPIRED),
}
#: What each transition is made by.
MADE_BY = {
    (State.QUEUED, State.SENDING): ["begin"],
    (State.QUEUED, State.UNCERTAIN): ["doubt"],
    (State.QUEUED, State.EXPIRED): ["expire", "expire held"],
    (State.QUEUED, State.CANCELED): ["cancel"],
    (State.SENDING, State.SENT): ["accepted"],
    (State.SENDING, State.QUEUED): ["postponed", "throttled", "held off"],
    (State.SENDING, State.DEAD): ["refused", "out of tries"],
    (State.SENDING, State.UNCERTAIN): ["unanswered", "abandon"],
    (State.UNCERTAIN, State.SENT): ["found"],
    (State.UNCERTAIN, State.QUEUED): ["not found", "cannot be told"],
    (State.UNCERTAIN, State.SENDING): ["begin"],
    (State.UNCERTAIN, State.DEAD): ["out of tries and not found"],
    (State.DEAD, State.QUEUED): ["revive"],
}
#: And what by a status report.
REPORTABLE = [
    (State.QUEUED, State.SENT),
    (State.UNCERTAIN, State.SENT),
    (State.SENT, State.DELIVERED),
    (State.SENT, State.UNDELIVERED),
]


def standing(state: State, attempts: int = 1, **changed: Any) -> Message:
    """A message in ``state``, tried once."""
    return message(state=state, attempts=attempts, **changed)


def test_each_transition_is_made_by_some_step() -> None:
    assert MADE_BY.keys() | set(REPORTABLE) == set(ALLOWED)


@pytest.mark.parametrize(("now", "then", "name"), [(*pair, name) for pair, names in MADE_BY.items() for name in names])
def test_a_step_makes_the_transition_that_it_is_for(now: State, then: State, name: str) -> None:
    tried_since = 1.0 if name == "doubt" else None
    after = STEPS[then][name](standing(now, is_held=name == "expire held", tried_since=tried_since))
    assert (after.state, after.is_held) == (then, False)


@pytest.mark.parametrize(
    ("now", "then", "name"), [(now, then, name) for now, then in FORBIDDEN for name in STEPS.get(then, {})]
)
def test_no_step_makes_a_transition_that_is_not_allowed(now: State, then: State, name: str) -> None:
    with pytest.raises(NotAllowed, match=f"A message that is {now.value} cannot become"):
        STEPS[then][name](standing(now))


@pytest.mark.parametrize("name", ["revive", "cancel", "expire", "expire held", "begin"])
@pytest.mark.parametrize("now", list(State))
def test_what_people_and_the_feeder_do_leads_out_of_one_state_only(now: State, name: str) -> None:
    (then,) = [then for then, steps in STEPS.items() if name in steps]
    if name in MADE_BY.get((now, then), []):
        return
    with pytest.raises(NotAllowed):
        STEPS[then][name](standing(now, is_held=True))


@pytest.mark.parametrize(("now", "then"), REPORTABLE)
def test_a_status_report_makes_the_transition_that_it_tells_of(now: State, then: State) -> None:
    assert REPORTED[then](standing(now)).state is then


@pytest.mark.parametrize("now", list(State))
@pytest.mark.parametrize("then", list(REPORTED))
def test_a_status_report_leads_only_along_transitions_that_are_allowed(now: State, then: State) -> None:
    if now is State.SENDING:
        with pytest.raises(StillSending):
            REPORTED[then](standing(now))
        return
    after = REPORTED[then](standing(now))
    path = [now, *(event.state for event in after.history)]
    assert all(pair in ALLOWED for pair in pairwise(path))
    assert path[-1] is after.state


@pytest.mark.parametrize("then", list(REPORTED))
def test_a_status_report_on_what_was_never_tried_changes_no_state(then: State) -> None:
    assert REPORTED[then](standing(State.QUEUED, attempts=0)).state is State.QUEUED
