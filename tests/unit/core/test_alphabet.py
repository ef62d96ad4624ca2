"""The alphabet is held against the published tables, written here as code points and not as characters."""

import pickle
import sys
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core import alphabet
from smsd.core.alphabet import DataCoding, NotEncodable

# 3GPP TS 23.038 6.2.1, rows of 16 codes from 0x00; the dash is 0x1B, the escape to the extension table.
BASIC_TABLE: Final = """
0040 00A3 0024 00A5 00E8 00E9 00F9 00EC 00F2 00C7 000A 00D8 00F8 000D 00C5 00E5
0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E -    00C6 00E6 00DF 00C9
0020 0021 0022 0023 00A4 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F
0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F
00A1 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F
0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C4 00D6 00D1 00DC 00A7
00BF 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E4 00F6 00F1 00FC 00E0
"""
# 3GPP TS 23.038 6.2.1.1: codes 0A 14 28 29 2F 3C 3D 3E 40 65, each after an escape.
EXTENSION_TABLE: Final = "000C 005E 007B 007D 005C 005B 007E 005D 007C 20AC"

BASIC: Final = {chr(int(code, 16)) for code in BASIC_TABLE.split() if code != "-"}
EXTENSION: Final = {chr(int(code, 16)) for code in EXTENSION_TABLE.split()}


def test_the_tables_have_the_published_characters_in_the_published_order() -> None:
    in_order = [chr(int(code, 16)) for code in BASIC_TABLE.split() if code != "-"]
    assert list(alphabet.BASIC) == in_order
    assert list(alphabet.EXTENSION) == [chr(int(code, 16)) for code in EXTENSION_TABLE.split()]
    assert (len(BASIC), len(EXTENSION)) == (127, 10)


def test_of_all_of_unicode_exactly_the_two_tables_are_gsm() -> None:
    accepted = {chr(code) for code in range(sys.maxunicode + 1) if alphabet.is_gsm(chr(code))}
    assert accepted == BASIC | EXTENSION


@pytest.mark.parametrize("character", sorted(BASIC))
def test_a_basic_character_costs_one_septet(character: str) -> None:
    assert alphabet.septets(character) == 1


@pytest.mark.parametrize("character", sorted(EXTENSION))
def test_an_extension_character_costs_two_septets(character: str) -> None:
    assert alphabet.septets(character) == 2


# Small c with cedilla, backtick, tab, escape, no-break space, curly quotes, small alpha, foreign ones.
@pytest.mark.parametrize("character", list("ç`\t\x1b\x00\xa0\u2019\u201c\u2026\u03b1ж中😀\ud800"))
def test_a_look_alike_or_foreign_character_needs_unicode(character: str) -> None:
    assert not alphabet.is_gsm(character)
    assert alphabet.data_coding(f"abc{character}") is DataCoding.UNICODE
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        alphabet.septets(f"abc{character}")


@pytest.mark.parametrize("text", ["", "\n", "x\r\n", "€ [1] {2} ~^|\\", "Grüße, señor, àèìòù Ç"])
def test_a_gsm_text_goes_plain(text: str) -> None:
    assert alphabet.data_coding(text) is DataCoding.PLAIN


def test_the_codings_have_the_words_of_the_api() -> None:
    assert [coding.value for coding in DataCoding] == ["plain", "unicode"]


@given(st.text(st.sampled_from(sorted(BASIC | EXTENSION))))
def test_septets_are_the_sum_over_the_characters(text: str) -> None:
    assert alphabet.septets(text) == sum(2 if character in EXTENSION else 1 for character in text)


@given(st.text(), st.text())
def test_a_text_is_gsm_when_both_its_halves_are(left: str, right: str) -> None:
    assert alphabet.is_gsm(left + right) == (alphabet.is_gsm(left) and alphabet.is_gsm(right))


@given(st.text(st.characters()))
def test_code_units_are_those_of_utf_16(text: str) -> None:
    assert alphabet.code_units(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


def test_a_lone_surrogate_counts_one_code_unit() -> None:
    assert alphabet.code_units("a\ud800") == 2


def test_the_error_names_each_offender_once_in_order_and_never_the_text() -> None:
    with pytest.raises(NotEncodable) as caught:
        alphabet.septets("secret жжж 😀 ж")
    assert caught.value.code_points == ("U+0436", "U+1F600")
    assert str(caught.value) == (
        "The text has characters outside GSM 03.38 (U+0436, U+1F600): send it as unicode, or remove them."
    )
    assert "secret" not in repr(caught.value)


def test_the_error_gives_no_more_than_five_characters_of_a_foreign_text_away() -> None:
    with pytest.raises(NotEncodable) as caught:
        alphabet.septets("абвгдежз")
    assert caught.value.code_points == ("U+0430", "U+0431", "U+0432", "U+0433", "U+0434")


def test_the_error_survives_pickling() -> None:
    error = NotEncodable(("U+0436",))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
