"""Messages that are not made yet are the same as those that are."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn, Originator
from smsd.core.message import Category, Message, Priority
from smsd.core.segments import segment
from smsd.core.series import Joined, Series, Variant
from smsd.core.trace import Traceparent
from smsd.spool import record

#: One is two parts long, one is not GSM 03.38.
TEXTS = ("Hi", "Hi again", "x" * 200, "Привет")
#: When they are accepted, UTC epoch seconds.
AT = 1_795_500_810.25


def series_of(count: int, place: int = 0) -> Series:
    numbers = range(10 * place, 10 * place + count)
    return Series(
        ids=[f"ID{number:024}" for number in numbers],
        variants=[
            Variant(
                tuple(Msisdn(str(31600000000 + 100 * number + each)) for each in range(1 + number % 3)),
                (text := TEXTS[number % len(TEXTS)]),
                segment(text),
                str(number) if number % 2 else "",
            )
            for number in numbers
        ],
        originator=Originator("MB"),
        priority=list(Priority)[place % 3],
        category=Category.MARKETING if place % 2 else None,
        api_key="shop",
        accepted_at=AT,
        not_before=AT + place % 3,
        valid_until=AT + 60 if place % 2 else None,
        batch="WHOLE" if place % 3 else "",
        callback_url="https://shop.example.com/" if place % 2 else "",
        trace=Traceparent(f"00-{place:032x}-{1:016x}-01") if place % 2 else None,
    )


def made(series: Series) -> list[Message]:
    return [
        Message(
            id=id,
            recipients=to,
            originator=series.originator,
            body=body,
            coding=cut.coding,
            segments=cut.parts,
            api_key=series.api_key,
            accepted_at=AT,
            changed_at=AT,
            not_before=series.not_before,
            valid_until=series.valid_until,
            priority=series.priority,
            category=series.category,
            batch=series.batch,
            reference=reference,
            callback_url=series.callback_url,
            trace=series.trace,
        )
        for id, (to, body, cut, reference) in zip(series.ids, series.variants, strict=True)
    ]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.slices(12))
def test_they_are_what_they_would_be(counts: list[int], part: slice) -> None:
    parts = [series_of(count, place) for place, count in enumerate(counts)]
    expected = [message for series in parts for message in made(series)]
    messages = parts[0] if len(parts) == 1 else Joined(parts)
    assert list(messages) == expected
    assert list(messages[part]) == expected[part]
    assert messages[-1] == expected[-1]
    assert record.rows_of(messages) == [record.to_row(message) for message in expected]


def test_every_field_that_may_differ_does_in_these() -> None:
    several = [series_of(1, place) for place in range(4)]
    for field in attrs.fields(Series):
        if field.name not in ("originator", "api_key", "accepted_at"):
            assert len({repr(getattr(each, field.name)) for each in several}) > 1, field.name


def test_there_is_nothing_beyond_the_last() -> None:
    for messages in (series_of(2), Joined([series_of(1), series_of(1, 1)])):
        with pytest.raises(IndexError):
            messages[2]
