import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.callback import GIVE_UP_S, Answered, Callback, Delivered, Failed, Gone, settle_callback
from smsd.core.retry import Backoff

BACKOFF = Backoff(base_s=5.0, cap_s=3600.0)
CALLBACK = Callback(
    id="01J00000000000000000000000", url="https://a.example/", body=b"{}", api_key="acme", created_at=1000.0
)


@pytest.mark.parametrize("answered", [Delivered(), Gone()])
def test_a_callback_that_was_delivered_or_whose_receiver_is_gone_is_finished(answered: Answered) -> None:
    assert settle_callback(CALLBACK, answered, 1001.0, BACKOFF, 0.5) is None


@pytest.mark.parametrize(
    ("attempts", "draw", "wait_s"), [(0, 0.5, 2.5), (1, 0.5, 5.0), (3, 0.25, 10.0), (40, 0.5, 1800.0)]
)
def test_a_callback_that_failed_waits_longer_each_time_but_no_longer_than_the_cap(
    attempts: int, draw: float, wait_s: float
) -> None:
    callback = attrs.evolve(CALLBACK, attempts=attempts)
    after = settle_callback(callback, Failed(reason="500"), 1010.0, BACKOFF, draw)
    assert after == attrs.evolve(callback, attempts=attempts + 1, not_before=1010.0 + wait_s)


def test_a_receiver_that_says_when_is_not_asked_sooner() -> None:
    after = settle_callback(CALLBACK, Failed(reason="429", retry_after_s=60.0), 1010.0, BACKOFF, 0.5)
    assert after is not None
    assert after.not_before == 1070.0


def test_a_receiver_that_says_now_does_not_shorten_the_backoff() -> None:
    after = settle_callback(CALLBACK, Failed(reason="429", retry_after_s=0.0), 1010.0, BACKOFF, 0.5)
    assert after is not None
    assert after.not_before == 1012.5


def test_the_last_try_is_at_the_end_of_the_day_whatever_the_receiver_asked_for() -> None:
    after = settle_callback(CALLBACK, Failed(reason="503", retry_after_s=1e9), 1010.0, BACKOFF, 0.5)
    assert after is not None
    assert after.not_before == 1000.0 + GIVE_UP_S


def test_a_callback_that_still_fails_after_a_day_is_given_up_but_not_before() -> None:
    end = 1000.0 + 86_400.0
    assert settle_callback(CALLBACK, Failed(reason="500"), end - 0.1, BACKOFF, 0.5) is not None
    assert settle_callback(CALLBACK, Failed(reason="500"), end, BACKOFF, 0.5) is None


@given(draws=st.lists(st.floats(min_value=0.0, max_value=1.0, exclude_max=True), min_size=1, max_size=300))
def test_no_callback_is_tried_after_its_day(draws: list[float]) -> None:
    waiting, now = CALLBACK, CALLBACK.created_at
    for draw in draws:
        after = settle_callback(waiting, Failed(reason="500"), now, BACKOFF, draw)
        if after is None:
            assert now == CALLBACK.created_at + GIVE_UP_S
            return
        assert now <= after.not_before <= CALLBACK.created_at + GIVE_UP_S
        waiting, now = after, after.not_before


@pytest.mark.parametrize("id", ["", "a.b", "a b", "a\r\nb", "ä"])
def test_an_id_that_could_be_mistaken_for_another_signed_content_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        attrs.evolve(CALLBACK, id=id)
