"""No number, text or key gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.reporting.scrub import pattern, scrub, without_text


@pytest.mark.parametrize(
    "number",
    [
        "31633450007",
        "+31633450007",
        "+31 6 33450007",
        "31-6-33-45-00-07",
        "(31) 633.450.007",
        "+44",
        "12345",
        "1 2 3 4 5",
    ],
)
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    said = scrub(f"no such subscriber {number}, sorry")
    assert not any(digit in said for digit in "0123456789")
    assert said.startswith("no such subscriber ")
    assert said.endswith(", sorry")


@pytest.mark.parametrize(
    "words", ["the provider answered 400; no (correct) recipients found (code 9)", "it isn't, it's 1234"]
)
def test_codes_and_plain_words_stay(words: str) -> None:
    assert scrub(words) == words


@pytest.mark.parametrize(
    "quoted", ["'hi there'", '"hi there"', "“hi there”", "‘hi there’", "«hi there»", "`hi\nthere`"]
)
def test_a_quotation_is_masked(quoted: str) -> None:
    assert scrub(f"bad text {quoted} given") == "bad text [quoted] given"


def test_an_address_is_masked_whole() -> None:
    assert scrub("GET https://rest.example/messages?recipient=abc&key=x failed") == "GET [url] failed"


def test_keys_are_masked_the_longest_first() -> None:
    assert scrub("key live_abc_d and live_abc", ["live_abc", "", "live_abc_d"]) == "key [key] and [key]"


def test_the_text_of_a_message_is_masked_in_whole_and_in_pieces() -> None:
    text = "Your appointment with Dr. Bird is at nine"
    assert without_text(f"rejected: {text}.", text) == "rejected: [text]."
    assert without_text("blocked word in YOUR APPOINTMENT WITH D…", text) == "blocked word in [text]…"
    assert without_text("the provider answered 400", text) == "the provider answered 400"
    assert without_text("spam: yes!", "yes!") == "spam: [text]"


def test_letters_that_grow_in_lower_case_shift_nothing() -> None:
    assert without_text("İİİİ said: hello there you", "hello there you") == "İİİİ said: [text]"


def test_a_text_of_a_few_letters_does_not_blot_out_a_sentence() -> None:
    assert without_text("the answer was no", "no") == "the answer was no"


@given(before=st.text(max_size=20), text=st.text(min_size=4, max_size=40), after=st.text(max_size=20))
def test_whatever_the_text_it_is_gone(before: str, text: str, after: str) -> None:
    said = without_text(before + text + after, text)
    assert text not in said.replace("[text]", "\0")


def test_two_tellings_of_the_same_trouble_have_one_pattern() -> None:
    assert pattern("request req-81f failed after 3 s") == pattern("request req-9a2 failed after 17 s")
