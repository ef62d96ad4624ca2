import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.callbacks.answers import read_answer, retry_after_s
from smsd.core.callback import Failed

NOW = 1614265330.0  # Thu, 25 Feb 2021 15:02:10 GMT


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 25 Feb 2021 15:03:10 GMT", 60.0),
        ("Thursday, 25-Feb-21 15:03:10 GMT", 60.0),
        ("Thu, 25 Feb 2021 15:03:10 -0000", 60.0),
        ("Thu, 25 Feb 2021 14:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1" * 400, None),
        ("Thu, 99 Feb 2021 15:03:10 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(header: str, wait_s: float | None) -> None:
    assert retry_after_s(header, NOW) == wait_s


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d+ (Jan|Feb) -?\d+ \d+:\d+:\d+ ([+-]\d+|GMT)", fullmatch=True)))
def test_any_retry_after_is_read_or_passed_over(header: str) -> None:
    wait_s = retry_after_s(header, NOW)
    assert wait_s is None or wait_s >= 0.0


@pytest.mark.parametrize(("status", "wait_s"), [(429, 7.0), (503, 7.0), (500, None), (404, None), (302, None)])
def test_only_a_receiver_that_is_busy_says_when_to_come_again(status: int, wait_s: float | None) -> None:
    answered = read_answer(status, "7", NOW)
    assert isinstance(answered, Failed)
    assert answered.retry_after_s == wait_s
