"""No number, text or key gets through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.reporting.scrub import Keys, pattern, scrub, without_text


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
        "31 - 633 - 450 - 007",
        "31,633,450,007",
        "31_633_450_007",
        "31·633·450·007",
        "31\u2011633\u2011450\u2011007",
        "31\u200b633\u200b450\u200b007",
        "３１６３３４５０００７",
        "٣١٦٣٣٤٥٠٠٠٧",
        "tel31633450007",
        "%2B31633450007",
    ],
)
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    said = scrub(f"no such subscriber {number}, sorry")
    assert [letter for letter in said.replace("%2B", "") if letter.isdigit()] == []
    assert said.startswith("no such subscriber ")
    assert said.endswith(", sorry")


@pytest.mark.parametrize(
    "words",
    [
        "the provider answered 400; no (correct) recipients found (code 9)",
        "the provider answered 422; Not valid (ValidationError E01001)",
        "it isn't, it's 1234",
    ],
)
def test_codes_and_plain_words_stay(words: str) -> None:
    assert scrub(words) == words


@pytest.mark.parametrize(
    "quoted", ["'hi there'", '"hi there"', "“hi there”", "‘hi there’", "«hi there»", "`hi\nthere`"]
)
def test_a_quotation_is_masked(quoted: str) -> None:
    assert scrub(f"bad text {quoted} given") == "bad text [quoted] given"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('bad "he said "hi" to me" here', "bad [quoted] here"),
        ("bad 'it's nine' here", "bad [quoted] here"),
        ('bad "hi there and then it was cut of', "bad [quoted]"),
        ("bad “hi there and then it was cut of", "bad [quoted]"),
    ],
)
def test_a_quotation_with_marks_in_it_or_without_its_end_is_masked(words: str, told: str) -> None:
    assert scrub(words) == told


def test_an_address_is_masked_whole() -> None:
    assert scrub("GET https://rest.example/messages?recipient=abc&key=x failed") == "GET [url] failed"


def test_keys_are_masked_the_longest_first() -> None:
    assert scrub("key live_abc_d and live_abc", Keys(["live_abc", "", "live_abc_d"])) == "key [key] and [key]"


def test_a_piece_of_a_key_is_masked() -> None:
    keys = Keys(["live_abcdefghijklmnop"])
    assert scrub("wrong access_key live_abcdefg… or …ghijklmnop", keys) == "wrong access_key [key]… or …[key]"


def test_the_text_of_a_message_is_masked_in_whole_and_in_pieces() -> None:
    text = "Your appointment with Dr. Bird is at nine"
    assert without_text(f"rejected: {text}.", text) == "rejected: [text]."
    assert without_text("blocked word in YOUR APPOINTMENT WITH D…", text) == "blocked word in [text]…"
    assert without_text("the provider answered 400", text) == "the provider answered 400"
    assert without_text("spam: yes!", "yes!") == "spam: [text]"


@pytest.mark.parametrize(
    "echo",
    [
        "Your+appointment+with+Dr.+B%C3%AFrd+is+at+nine",
        "Your%20appointment%20with%20Dr.%20B%C3%AFrd%20is%20at%20nine",
        r"Your appointment with Dr. B\u00efrd is at nine",
        "Your appointment with Dr. B&iuml;rd is at nine",
        "YOUR  APPOINTMENT\nWITH DR BIRD IS AT NINE",
        "Your_appointment_with_Dr_Bird_is_at_nine",
        "appointment",
        "Bird",
        "intment with D",
    ],
)
def test_a_text_is_masked_however_it_is_written(echo: str) -> None:
    said = without_text(f"refused: {echo}.", "Your appointment with Dr. Bïrd is at nine")
    left = set(re.findall(r"[a-z]+", said.replace("[text]", "").lower()))
    assert left <= {"refused", "dr", "is", "at", "text"}


def test_a_code_that_is_all_a_text_has_to_say_is_masked() -> None:
    assert without_text("blocked: 482 and 4821", "Your pin: 4821, or 482") == "blocked: [text] and [text]"


def test_pieces_of_the_recipients_number_are_masked_though_they_are_short() -> None:
    numbers = ["31633450007", "1234"]
    assert without_text("no route to …0007 or 1234 (code 9), see 9999", "hello", numbers) == (
        "no route to …[number] or [number] (code 9), see 9999"
    )


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
