import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.quota import Quota, QuotaExceeded, Usage, charge, quotas_of

#: 2026-11-24T06:13:30Z
NOW = 1_795_500_810.0
RATE = Quota(name="rate", limit=100, window_s=60)
DAILY = Quota(name="daily", limit=1000, window_s=86400)


def refused(count: int, now: float = NOW, **used: int) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as caught:
        charge((RATE, DAILY), used, count, now)
    return caught.value


def test_a_minute_and_a_day_begin_with_the_clock() -> None:
    assert (RATE.start(NOW), RATE.ends(NOW)) == (1_795_500_780, 1_795_500_840)
    assert (DAILY.start(NOW), DAILY.ends(NOW)) == (1_795_478_400, 1_795_564_800)


def test_a_window_begins_at_its_first_moment_and_ends_before_the_next() -> None:
    assert (RATE.start(60.0), RATE.ends(60.0), RATE.left_s(60.0)) == (60, 120, 60)
    assert (RATE.start(119.999), RATE.left_s(119.999)) == (60, 1)
    assert RATE.start(120.0) == 120


@given(st.floats(min_value=0, max_value=4e9), st.integers(1, 10**6))
def test_after_the_seconds_that_are_told_the_window_has_ended(now: float, window_s: int) -> None:
    quota = Quota(name="rate", limit=1, window_s=window_s)
    assert quota.start(now) <= now < quota.ends(now)
    assert now + quota.left_s(now) >= quota.ends(now)
    assert 1 <= quota.left_s(now) <= window_s


def test_what_is_accepted_counts_in_every_window() -> None:
    usages = charge((RATE, DAILY), {"rate": 40, "daily": 900}, 60, NOW)
    assert usages == (Usage(quota=RATE, used=100), Usage(quota=DAILY, used=960))
    assert [each.remaining for each in usages] == [0, 40]


def test_nothing_was_used_of_a_quota_that_is_not_named() -> None:
    assert charge((RATE,), {}, 100, NOW) == (Usage(quota=RATE, used=100),)


def test_without_quotas_everything_passes() -> None:
    assert charge((), {}, 10**6, NOW) == ()


def test_one_too_many_is_refused_and_the_usages_stay() -> None:
    error = refused(61, rate=40, daily=0)
    assert (error.name, error.retry_after_s, error.at) == ("rate", 30, NOW)
    assert error.usages == (Usage(quota=RATE, used=40), Usage(quota=DAILY, used=0))
    assert str(error) == "This API key may have 100 recipients accepted a minute and has 60 left: 61 do not pass"


def test_the_longest_wait_is_told_when_several_are_used_up() -> None:
    error = refused(1, rate=100, daily=1000)
    assert (error.name, error.retry_after_s) == ("daily", 63_990)
    assert str(error) == "This API key may have 1000 recipients accepted a day and has 0 left: 1 do not pass"


def test_more_than_a_window_holds_can_never_pass_and_is_told_so() -> None:
    error = refused(101)
    assert (error.name, error.retry_after_s) == ("rate", 30)
    assert str(error) == "This API key may have 100 recipients accepted a minute: 101 at once can never pass"


def test_what_can_never_pass_is_told_before_what_passes_tomorrow() -> None:
    error = refused(101, daily=1000)
    assert (error.name, error.retry_after_s) == ("rate", 63_990)


def test_nothing_is_left_where_a_limit_was_lowered() -> None:
    assert Usage(quota=RATE, used=150).remaining == 0
    assert refused(1, rate=150).usages[0].remaining == 0


def test_at_the_end_of_a_window_it_is_a_second() -> None:
    assert refused(1, now=NOW + 29.9, rate=100).retry_after_s == 1


@pytest.mark.parametrize(
    ("rate", "daily", "expected"),
    [(None, None, ()), (100, None, (RATE,)), (None, 1000, (DAILY,)), (100, 1000, (RATE, DAILY))],
)
def test_a_key_has_the_quotas_that_are_set(rate: int | None, daily: int | None, expected: tuple[Quota, ...]) -> None:
    assert quotas_of(rate=rate, daily=daily) == expected


@given(st.lists(st.integers(1, 40), max_size=30))
def test_no_window_ever_takes_more_than_its_limit(counts: list[int]) -> None:
    used = 0
    for count in counts:
        try:
            used = charge((RATE,), {"rate": used}, count, NOW)[0].used
        except QuotaExceeded:
            assert used + count > 100
        assert used <= 100
