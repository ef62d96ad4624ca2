"""Messages that are not made yet are the same as those that are."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.segments import segment
from smsd.core.series import Series, Variant, joined
from smsd.spool import record
from tests.messages import sms

MOULD = sms(reference="one of many")


#: One is two parts long, one is not GSM 03.38.
TEXTS = ("Hi", "Hi again", "x" * 200, "Привет")


def made(series: Series) -> list[Message]:
    return [
        attrs.evolve(MOULD, id=id, recipients=(to,), body=body, coding=cut.coding, segments=cut.parts, reference=word)
        for id, (to, body, cut, word) in zip(series.ids, series.variants, strict=True)
    ]


def series_of(count: int, start: int = 0) -> Series:
    numbers = range(start, start + count)
    ids = [f"ID{number:024}" for number in numbers]
    texts = [TEXTS[number % len(TEXTS)] for number in numbers]
    to = [Msisdn(str(31600000000 + number)) for number in numbers]
    return Series(
        mould=MOULD,
        ids=ids,
        variants=[Variant(*each, segment(each[1]), each[0].digits) for each in zip(to, texts, strict=True)],
    )


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.slices(12))
def test_they_are_what_they_would_be(counts: list[int], part: slice) -> None:
    parts = [series_of(count, 10 * place) for place, count in enumerate(counts)]
    expected = [message for series in parts for message in made(series)]
    messages = joined(parts)
    assert list(messages) == expected
    assert list(messages[part]) == expected[part]
    assert messages[-1] == expected[-1]
    assert record.rows_of(messages) == [record.to_row(message) for message in expected]


def test_there_is_nothing_beyond_the_last() -> None:
    for messages in (series_of(2), joined([series_of(1), series_of(1, 1)])):
        with pytest.raises(IndexError):
            messages[2]
