import pytest

from smsd.core.errors import NotAllowed
from smsd.core.lifecycle import OPEN, TRANSITIONS, State, advance, diagram

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
