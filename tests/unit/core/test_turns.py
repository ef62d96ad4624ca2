"""The place that is told is the one that is had, if nothing else comes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from smsd.core.message import Message, Priority
from smsd.core.turns import AGEING_S, Turns, ahead
from tests.messages import NOW, sms

#: Lines of two priorities and four API keys.
_LINES = st.tuples(st.sampled_from([Priority.HIGH, Priority.NORMAL]), st.sampled_from("abcd"))


def _pick(turns: Turns, waiting: list[Message], limit: int) -> list[Message]:
    lines = {line: iter([each for each in waiting if each.line == line]) for line in {each.line for each in waiting}}
    return turns.pick(lines, NOW, limit)


@given(st.lists(_LINES, min_size=1, max_size=40), st.integers(0, 10), st.integers(0, 10))
def test_the_place_that_is_told_is_the_one_that_is_had(joining, gone, taken):
    turns = Turns(AGEING_S)
    waiting = [sms(priority=priority, api_key=key) for priority, key in joining]
    for each in _pick(turns, waiting, gone):
        waiting.remove(each)
    window = _pick(turns, waiting, taken)
    last = dict(turns.last)
    order = [*window, *_pick(turns, [each for each in waiting if each not in window], len(waiting))]
    for message in waiting:
        if message not in window:
            before = sum(1 for each in order[: order.index(message)] if each.line == message.line)
            counts = Counter(each.line for each in waiting)
            told = ahead(counts, message.line, before, Counter(each.line for each in window), last)
            assert told == order.index(message)
