from typing import Any

import pytest

from smsd.core.errors import InvalidSubmission
from smsd.core.message import Category
from smsd.core.moment import moment, read_moment
from smsd.core.submission import Submission

NOW = 1_795_500_810.0
SMS = {"originator": "MB", "message": "Hi", "recipient": 31633450007}
URL = "https://shop.example.com/sms?id=1"


def parsed(allow_private: bool = False, **fields: Any) -> Submission:
    return Submission.parse({**SMS, **fields}, NOW, allow_private=allow_private)


def urls(submission: Submission, of_the_key: str = "") -> list[str]:
    ids = iter(str(number) for number in range(100))
    _, messages = submission.messages(new_id=lambda: next(ids), api_key="shop", now=NOW, callback_url=of_the_key)
    return [message.callback_url for message in messages]


def test_without_a_callback_url_nothing_is_posted() -> None:
    assert parsed().callback_url == ""
    assert urls(parsed()) == [""]


def test_the_messages_callback_url_wins_over_the_keys() -> None:
    assert urls(parsed(callback_url=URL), "https://key.example.com/") == [URL]
    assert urls(parsed(), "https://key.example.com/") == ["https://key.example.com/"]


def test_every_part_of_a_broadcast_has_it() -> None:
    numbers = [str(31600000000 + index) for index in range(120)]
    broadcast = Submission.parse({"originator": "MB", "message": "Hi", "recipients": numbers, "callback_url": URL}, NOW)
    assert urls(broadcast) == [URL] * 3


@pytest.mark.parametrize("url", ["", "shop.example.com", "ftp://a.example", "https://me:pw@a.example", "https://a b/"])
def test_what_is_no_address_is_refused_even_when_private_ones_are_allowed(url: str) -> None:
    for allow_private in (False, True):
        with pytest.raises(InvalidSubmission) as caught:
            parsed(allow_private, callback_url=url)
        assert caught.value.paths == (("callback_url",),)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost:8080/", "http://169.254.169.254/latest"])
def test_an_inward_address_is_refused_unless_it_is_allowed(url: str) -> None:
    with pytest.raises(InvalidSubmission):
        parsed(callback_url=url)
    assert parsed(True, callback_url=url).callback_url == url


def test_a_time_may_have_its_letters_small() -> None:
    assert parsed(send_at="2026-12-01t00:00:00z").send_at == parsed(send_at="2026-12-01T00:00:00Z").send_at


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-29T02:00:00Z", "2027-11-29T02:00:59Z"),
        ("2027-11-29T02:00:00Z", "2028-11-29T02:00:59Z"),  # 366 days
        ("2028-02-29T02:00:00Z", "2029-03-01T02:00:59Z"),
    ],
)
def test_a_time_may_be_a_year_ahead(now: str, last: str) -> None:
    at = read_moment(last)
    fields = {"recipient": 31600000001, "originator": "MB", "message": "Hi"}
    assert Submission.parse({**fields, "send_at": last}, read_moment(now)).send_at == at
    with pytest.raises(InvalidSubmission):
        Submission.parse({**fields, "send_at": moment(at + 2)}, read_moment(now))


def test_every_part_of_a_broadcast_has_the_category() -> None:
    numbers = [str(31600000000 + index) for index in range(60)]
    broadcast = Submission.parse(
        {"originator": "MB", "message": "Hi", "recipients": numbers, "category": "marketing"}, NOW
    )
    ids = iter("abc")
    _, messages = broadcast.messages(new_id=lambda: next(ids), api_key="shop", now=NOW)
    assert [message.category for message in messages] == [Category.MARKETING] * 2


def test_without_a_category_the_settings_say() -> None:
    assert parsed().category is None


def test_it_is_told_together_with_what_else_is_wrong() -> None:
    with pytest.raises(InvalidSubmission) as caught:
        parsed(callback_url="x", originator="")
    assert set(caught.value.paths) == {("callback_url",), ("originator",)}
