"""A dead letter holds everything, and is read back as it was written."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.letter import BadLetter, key, read, write
from smsd.core.lifecycle import State
from smsd.core.message import Category, Event, Message, Priority, What
from smsd.core.report import Delivery, DeliveryStatus
from smsd.core.trace import Traceparent
from tests.messages import NOW, message

#: UTC epoch seconds to the microsecond, as a clock gives them.
MOMENTS = st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1e6)
WORDS = st.text(max_size=30)
TRACE = Traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
NUMBERS = st.from_regex(r"[1-9][0-9]{3,14}", fullmatch=True).map(Msisdn)
EVENTS = st.builds(Event, at=MOMENTS, state=st.sampled_from(State), what=st.sampled_from(What), detail=WORDS)
DELIVERIES = st.builds(
    Delivery,
    recipient=NUMBERS,
    status=st.sampled_from(DeliveryStatus),
    at=MOMENTS,
    reason=WORDS,
    error_code=st.none() | st.integers(0, 999),
    network=st.just("20404"),
)
LETTERS = st.builds(
    Message,
    id=st.just("01K5ZZZZZZZZZZZZZZZZZZZZZZ"),
    recipients=st.lists(NUMBERS, min_size=1, max_size=3).map(tuple),
    originator=st.sampled_from([Originator("MB"), Originator("+31612345678")]),
    body=WORDS,
    coding=st.sampled_from(DataCoding),
    segments=st.integers(1, 9),
    api_key=WORDS,
    accepted_at=MOMENTS,
    not_before=MOMENTS,
    priority=st.sampled_from(Priority),
    category=st.none() | st.sampled_from(Category),
    batch=WORDS,
    reference=WORDS,
    valid_until=st.none() | MOMENTS,
    callback_url=WORDS,
    trace=st.sampled_from([None, TRACE]),
    state=st.sampled_from(State),
    changed_at=MOMENTS,
    gateway=WORDS,
    attempts=st.integers(0, 99),
    attempted_at=st.none() | MOMENTS,
    sent_at=st.none() | MOMENTS,
    provider_id=WORDS,
    deliveries=st.lists(DELIVERIES, max_size=2).map(tuple),
    attend_at=st.none() | MOMENTS,
    is_held=st.booleans(),
    error=WORDS,
    history=st.lists(EVENTS, max_size=3).map(tuple),
)


@given(LETTERS)
def test_a_letter_is_read_back_as_it_was_written(letter: Message) -> None:
    assert read(write(letter)) == letter


def test_nothing_that_is_known_of_a_message_is_left_out() -> None:
    written = set(json.loads(write(message())))
    renamed = {"body": "message", "coding": "datacoding", "trace": "traceparent"}
    known = {renamed.get(each.name, each.name) for each in attrs.fields(Message)} | {"form"}
    assert written == known - {
        "bundle",
        "portion",
        "asks_first",
    }  # of what is under way or in doubt: a dead one is neither


def test_a_person_can_read_it() -> None:
    history = (Event(at=NOW, state=State.DEAD, what=What.REFUSED, detail="the provider answered 400"),)
    dead = message(body="Grüße", state=State.DEAD, changed_at=NOW, history=history)
    lines = write(dead).decode().splitlines()
    assert '  "message": "Grüße",' in lines
    assert '  "changed_at": "2023-11-14T22:13:20.000000Z",' in lines
    assert '      "detail": "the provider answered 400"' in lines


def test_half_a_surrogate_pair_in_the_providers_words_does_not_lose_the_letter() -> None:
    dead = message(error="bad: \ud800")
    assert read(write(dead)) == dead


def test_it_is_kept_by_the_day_on_which_it_died() -> None:
    assert key(message("01ABC", changed_at=NOW)) == "dead/2023/11/14/01ABC.json"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"form": 2}, "it is of form 2, this smsd reads 1"),
        ({"form": None}, "it is of form None, this smsd reads 1"),
        ({"recipients": ["31612345678x"]}, "it cannot be read (InvalidAddress)"),
        ({"message": 5}, "its message is of another kind"),
        ({"attempts": "5"}, "its attempts is of another kind"),
        ({"state": "gone"}, "it cannot be read (ValueError)"),
        ({"accepted_at": None}, "it cannot be read (TypeError)"),
        ({"history": [{}]}, "it lacks at"),
    ],
)
def test_what_is_no_letter_is_refused_with_a_reason(changes: dict[str, Any], why: str) -> None:
    fields = json.loads(write(message()))
    with pytest.raises(BadLetter) as caught:
        read(json.dumps(fields | changes).encode())
    assert caught.value.reason == why


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b"\xff", b"null"])
def test_nor_is_anything_else_taken_for_one(octets: bytes) -> None:
    with pytest.raises(BadLetter):
        read(octets)


def test_a_letter_from_before_there_were_categories_is_read() -> None:
    fields = json.loads(write(message()))
    del fields["category"]
    assert read(json.dumps(fields).encode()) == message()
