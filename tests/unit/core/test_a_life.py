"""Whatever happens to a message, in whatever order, it moves only as the table says."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn
from smsd.core.doubt import clear_up, doubt, is_repeatable, repeat
from smsd.core.errors import NotAllowed, StillSending
from smsd.core.lifecycle import TRANSITIONS, State
from smsd.core.message import Message, What
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    LookupFailed,
    NotFound,
    PartlyRefused,
    Postponed,
    Refused,
    Throttled,
    Unanswered,
)
from smsd.core.policy import Policy
from smsd.core.report import DeliveryStatus, Report
from smsd.core.retry import Backoff
from smsd.core.settle import abandon, begin, cancel, expire, reported, revive, settle
from tests.messages import message

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0), attempts=3)
OUTCOMES = [
    Accepted(provider_id="p"),
    Postponed(reason="refused"),
    Throttled(reason="429", retry_after_s=5.0),
    Refused(reason="no"),
    PartlyRefused(reasons=((Msisdn("31633450007"), "no"),)),
    Unanswered(reason="reset"),
    Unanswered(reason="reused", repeatable=False),
    HeldOff(reason="key"),
]
LOOKUPS = [Found(provider_id="p"), NotFound(), LookupFailed(reason="503")]
Step = Callable[[Message, float], Message]


def told(status: DeliveryStatus) -> Step:
    report = Report(reference="01TEST", recipient=Msisdn("31633450007"), status=status, at=1.0)
    return lambda m, now: reported(m, report, now)


def again(message: Message, now: float) -> Message:
    return repeat(message, now, POLICY, 0.5) if is_repeatable(message, now, POLICY, 15.0) else message


STEPS = st.one_of(
    st.sampled_from(OUTCOMES).map(lambda outcome: lambda m, now: settle(m, outcome, now, POLICY, 0.5)),
    st.tuples(st.sampled_from(LOOKUPS), st.sampled_from([0.0, 20.0, 9999.0])).map(
        lambda given: lambda m, now: clear_up(m, given[0], now, POLICY, doubted_s=given[1], draw=0.5)
    ),
    st.sampled_from(list(DeliveryStatus)).map(told),
    st.sampled_from([lambda m, now: begin(m, now, "test"), abandon, again, doubt, cancel, expire, revive]),
)


@given(st.lists(STEPS, min_size=10, max_size=40))
def test_a_message_moves_only_as_the_table_says(steps: list[Step]) -> None:
    life, was_sent = message(), False
    for number, step in enumerate(steps):
        try:
            after = step(life, 100.0 + number)
        except (NotAllowed, StillSending):
            continue
        path = [life.state, *(event.state for event in after.history[len(life.history) :]), after.state]
        for now, then in pairwise(path):
            assert now is then or then in TRANSITIONS[now]
        # Only a dead one is put back by a person: of an uncertain one the provider may know better.
        replayed = [event for event in after.history[len(life.history) :] if event.what is What.REPLAYED]
        assert not replayed or life.state is State.DEAD
        # Once the provider is known to have it, it is never tried again.
        assert not (was_sent and after.state in (State.QUEUED, State.SENDING))
        was_sent = was_sent or State.SENT in path
        assert 0 <= after.attempts <= POLICY.attempts
        life = after
