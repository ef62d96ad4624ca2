"""Published limits, the known mistakes of other libraries, and a slow and plain packer to compare with."""

from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core import alphabet, segments
from smsd.core.alphabet import DataCoding, NotEncodable

PLAIN: Final = DataCoding.PLAIN
UNICODE: Final = DataCoding.UNICODE

gsm_texts: Final = st.text(st.sampled_from("abé\n@€[]"), max_size=1600)
wide_texts: Final = st.text(st.sampled_from("abж中€😀🇳"), max_size=800)
texts: Final = gsm_texts | wide_texts | st.text(st.characters(), max_size=400)


@pytest.mark.parametrize(
    ("text", "coding", "units", "parts", "per_part"),
    [
        ("", PLAIN, 0, 1, 160),
        ("a", PLAIN, 1, 1, 160),
        ("a" * 160, PLAIN, 160, 1, 160),
        ("a" * 161, PLAIN, 161, 2, 153),
        ("a" * 306, PLAIN, 306, 2, 153),
        ("a" * 307, PLAIN, 307, 3, 153),
        ("a" * 1377, PLAIN, 1377, 9, 153),
        ("a" * 1378, PLAIN, 1378, 10, 153),
        ("a" * 39015, PLAIN, 39015, 255, 153),  # 255 * 153, the standard's own example
        ("ж" * 70, UNICODE, 70, 1, 70),
        ("ж" * 71, UNICODE, 71, 2, 67),
        ("ж" * 134, UNICODE, 134, 2, 67),
        ("ж" * 135, UNICODE, 135, 3, 67),
        ("ж" * 603, UNICODE, 603, 9, 67),
        ("ж" * 604, UNICODE, 604, 10, 67),
        ("ж" * 17085, UNICODE, 17085, 255, 67),  # 255 * 67, the standard's own example
        ("😀" * 35, UNICODE, 70, 1, 70),
        ("😀" * 36, UNICODE, 72, 2, 67),
        ("a" * 69 + "\u2019", UNICODE, 70, 1, 70),
        ("a" * 70 + "\u2019", UNICODE, 71, 2, 67),
        ("€" * 80, PLAIN, 160, 1, 160),
        ("a" * 158 + "€", PLAIN, 160, 1, 160),
        ("a" * 159 + "€", PLAIN, 161, 2, 153),
    ],
)
def test_a_text_takes_the_published_number_of_parts(
    text: str, coding: DataCoding, units: int, parts: int, per_part: int
) -> None:
    expected = segments.Segmentation(coding=coding, units=units, parts=parts, per_part=per_part)
    assert segments.segment(text) == expected


def test_an_extension_character_is_one_unit_in_a_unicode_text() -> None:
    assert segments.segment("ж" + "€" * 69).units == 70
    assert segments.segment("ж" + "€" * 69).parts == 1
    assert segments.segment("€", UNICODE).units == 1


def test_an_escape_pair_is_not_split_over_two_parts() -> None:
    assert segments.split("a" * 152 + "€" + "b" * 10) == ("a" * 152, "€" + "b" * 10)


def test_an_escape_pair_that_ends_a_part_exactly_stays_in_it() -> None:
    assert segments.split("a" * 151 + "€" + "b" * 10) == ("a" * 151 + "€", "b" * 10)


def test_a_gap_before_an_escape_pair_can_add_a_part() -> None:
    text = "a" * 152 + "€" + "b" * 152  # 306 septets, two parts by division
    assert segments.segment(text).units == 306
    assert segments.split(text) == ("a" * 152, "€" + "b" * 151, "b")
    assert segments.segment(text).parts == 3


def test_a_surrogate_pair_is_not_split_over_two_parts() -> None:
    text = "ж" * 66 + "😀" + "ж" * 66  # 134 units, two parts by division
    assert segments.split(text) == ("ж" * 66, "😀" + "ж" * 65, "ж")
    assert segments.segment(text).parts == 3


def test_a_lone_surrogate_does_not_crash() -> None:
    text = "\ud800" * 71
    assert segments.segment(text).units == 71
    assert "".join(segments.split(text)) == text


def test_the_empty_text_is_one_empty_part_in_either_coding() -> None:
    assert segments.split("") == ("",)
    assert segments.split("", UNICODE) == ("",)
    assert (segments.segment("").units, segments.segment("").parts) == (0, 1)
    assert (segments.segment("", UNICODE).units, segments.segment("", UNICODE).parts) == (0, 1)
    assert segments.fits("")


def test_a_gsm_text_forced_to_unicode_counts_as_ucs_2() -> None:
    forced = segments.segment("a" * 71, UNICODE)
    assert forced == segments.Segmentation(coding=UNICODE, units=71, parts=2, per_part=67)
    assert segments.split("a" * 71, UNICODE) == ("a" * 67, "a" * 4)


@pytest.mark.parametrize("call", [segments.segment, segments.split, segments.fits])
@pytest.mark.parametrize("length", [1, 2000])
def test_plain_forced_on_a_foreign_text_is_refused_by_code_point(call: object, length: int) -> None:
    assert callable(call)
    with pytest.raises(NotEncodable, match=r"\(U\+0436\)"):
        call("a" * (length - 1) + "ж", PLAIN)


@pytest.mark.parametrize(
    ("text", "coding", "expected"),
    [
        ("a" * 1377, None, True),
        ("a" * 1378, None, False),
        ("ж" * 603, None, True),
        ("ж" * 604, None, False),
        ("a" * 603, UNICODE, True),
        ("a" * 604, UNICODE, False),
        ("a" * 1377, PLAIN, True),
        ("a" * 10_000_000, None, False),
    ],
)
def test_nine_full_parts_fit_and_one_unit_more_does_not(text: str, coding: DataCoding | None, expected: bool) -> None:
    assert segments.fits(text, coding) is expected


def test_escape_pairs_within_1377_septets_can_need_a_tenth_part_and_then_do_not_fit() -> None:
    nine = "a" * 152 + ("€" + "a" * 150) * 8  # every part stops one septet short
    ten = nine + "€"
    assert (segments.segment(nine).units, segments.segment(nine).parts) == (1368, 9)
    assert segments.fits(nine)
    assert (segments.segment(ten).units, segments.segment(ten).parts) == (1370, 10)
    assert not segments.fits(ten)


def test_surrogate_pairs_within_603_units_can_need_a_tenth_part_and_then_do_not_fit() -> None:
    nine, ten = "😀" * 9 * 33, "😀" * 301  # 33 pairs fill 66 of the 67 units of a part
    assert (segments.segment(nine).units, segments.segment(nine).parts) == (594, 9)
    assert segments.fits(nine)
    assert (segments.segment(ten).units, segments.segment(ten).parts) == (602, 10)
    assert not segments.fits(ten)


def test_a_segmentation_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        segments.segment("a").parts = 2  # type: ignore[misc]


def cost(text: str, coding: DataCoding) -> int:
    """Count plainly, from the definition."""
    wide = [c in alphabet.EXTENSION if coding is PLAIN else ord(c) > 0xFFFF for c in text]
    return len(text) + sum(wide)


def pack_slowly(text: str, coding: DataCoding) -> list[str]:
    """Pack one character at a time."""
    single, room = (160, 153) if coding is PLAIN else (70, 67)
    if cost(text, coding) <= single:
        return [text]
    parts, used = [""], 0
    for character in text:
        if used + cost(character, coding) > room:
            parts, used = [*parts, ""], 0
        parts[-1] += character
        used += cost(character, coding)
    return parts


@given(texts, st.sampled_from([None, UNICODE]))
def test_parts_are_those_of_the_slow_packer(text: str, coding: DataCoding | None) -> None:
    found = segments.segment(text, coding)
    expected = pack_slowly(text, found.coding)
    assert list(segments.split(text, coding)) == expected
    assert (found.parts, found.units) == (len(expected), cost(text, found.coding))


@given(texts, st.sampled_from([None, UNICODE]))
def test_parts_join_to_the_text_and_none_overflows(text: str, coding: DataCoding | None) -> None:
    found = segments.segment(text, coding)
    parts = segments.split(text, coding)
    assert "".join(parts) == text
    assert all(cost(part, found.coding) <= found.per_part for part in parts)


@given(texts)
def test_a_text_fits_exactly_when_it_packs_into_nine_parts(text: str) -> None:
    found = segments.segment(text)
    limit = segments.MAX_SEPTETS if found.coding is PLAIN else segments.MAX_UNITS
    assert segments.fits(text) == (found.parts <= segments.MAX_PARTS)
    assert not segments.fits(text) or found.units <= limit
