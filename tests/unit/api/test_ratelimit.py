import pytest

from smsd.api.problems import answer_to
from smsd.api.ratelimit import ratelimit
from smsd.core.quota import QuotaExceeded, Usage, charge, quotas_of

#: 30 s before the end of a minute, 63,990 s before midnight UTC.
NOW = 1_795_500_810.0
RATE, DAILY = quotas_of(rate=100, daily=10_000)


def test_each_quota_is_told_with_its_policy() -> None:
    assert ratelimit([Usage(quota=RATE, used=50), Usage(quota=DAILY, used=1000)], NOW) == {
        "RateLimit-Policy": '"rate";q=100;w=60, "daily";q=10000;w=86400',
        "RateLimit": '"rate";r=50;t=30, "daily";r=9000;t=63990',
    }


def test_a_part_of_a_second_counts_as_a_whole_one() -> None:
    assert ratelimit([Usage(quota=RATE, used=0)], NOW + 0.5)["RateLimit"] == '"rate";r=100;t=30'
    assert ratelimit([Usage(quota=RATE, used=200)], NOW + 29.5)["RateLimit"] == '"rate";r=0;t=1'


def test_without_a_quota_there_is_no_header() -> None:
    assert ratelimit([], NOW) == {}


def test_a_quota_that_is_used_up_is_429_with_the_time_to_come_back() -> None:
    with pytest.raises(QuotaExceeded) as caught:
        charge((RATE, DAILY), {"rate": 90, "daily": 90}, 11, NOW)
    answer = answer_to(caught.value)
    assert answer.code == 429
    assert answer.body == {
        "message": "This API key may have 100 recipients accepted a minute and has 10 left: 11 do not pass",
        "status": "error",
    }
    assert answer.headers == {
        "Retry-After": "30",
        "RateLimit-Policy": '"rate";q=100;w=60, "daily";q=10000;w=86400',
        "RateLimit": '"rate";r=10;t=30, "daily";r=9910;t=63990',
    }
