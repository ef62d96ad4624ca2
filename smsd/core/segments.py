"""Counts the parts that a text takes on the air, and cuts it into them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, assert_never

import attrs

from smsd.core import alphabet
from smsd.core.alphabet import DataCoding

# One part carries 140 octets: 160 septets of GSM 03.38 or 70 UCS-2 characters. Each of several parts gives 6
# octets to a user data header (UDH) with the 8-bit concatenation element, 3GPP TS 23.040 9.2.3.24.1.
SINGLE_SEPTETS: Final = 160  # 140 octets x 8 / 7
PART_SEPTETS: Final = 153  # 160 less 7 for a 6-octet UDH (48 bits fill 7 septets), 3GPP TS 23.040 9.2.3.24.1
SINGLE_UNITS: Final = 70  # 140 octets / 2
PART_UNITS: Final = 67  # (140 less 6 octets of UDH) / 2, 3GPP TS 23.040 9.2.3.24.1

MAX_PARTS: Final = 9  # what MessageBird takes in one message; the standard itself ends at 255
MAX_SEPTETS: Final = MAX_PARTS * PART_SEPTETS  # 1377
MAX_UNITS: Final = MAX_PARTS * PART_UNITS  # 603


@attrs.frozen(kw_only=True)
class Segmentation:
    """What a text takes on the air."""

    #: How the text is coded, and so what a unit is.
    coding: DataCoding
    #: Size of the whole text, without UDHs: septets in PLAIN, 16-bit code units in UNICODE.
    units: int
    #: SMS that each recipient gets and that are billed, at least 1.
    parts: int
    #: Units that one part of this text can hold: 160 or 70 when it is alone, else 153 or 67.
    per_part: int


@attrs.frozen(kw_only=True)
class _Measure:
    """How the texts of one data coding are measured."""

    #: Units of a text; a character takes 1 or 2.
    count: Callable[[str], int]
    #: Units that a single part holds.
    single: int
    #: Units that each of several parts holds.
    part: int
    #: For each number of units that a single part holds: what such a text takes.
    alone: Sequence[Segmentation]


def _measured(coding: DataCoding, count: Callable[[str], int], single: int, part: int) -> _Measure:
    numbers = range(single + 1)
    alone = [Segmentation(coding=coding, units=units, parts=1, per_part=single) for units in numbers]
    return _Measure(count=count, single=single, part=part, alone=alone)


_PLAIN: Final = _measured(DataCoding.PLAIN, alphabet.septets, SINGLE_SEPTETS, PART_SEPTETS)
_UNICODE: Final = _measured(DataCoding.UNICODE, alphabet.code_units, SINGLE_UNITS, PART_UNITS)


def segment(text: str, coding: DataCoding | None = None) -> Segmentation:
    """Count the units and parts of ``text`` in ``coding``, or in the cheapest that carries it when None.

    The empty text is 0 units in 1 part: were it sent, one SMS would go out. Any length is counted; ``fits``
    tells whether it may be sent. Raises NotEncodable when PLAIN is asked for a text that is not GSM 03.38.
    """
    coding, units = alphabet.size(text, coding)
    measure = _measure(coding)
    if units <= measure.single:
        return measure.alone[units]
    parts = sum(1 for _ in _pack(text, measure))
    return Segmentation(coding=coding, units=units, parts=parts, per_part=measure.part)


def split(text: str, coding: DataCoding | None = None) -> tuple[str, ...]:
    """Cut ``text`` into the text of each of its parts, in order; joined they are ``text`` again.

    The empty text is one empty part. Raises NotEncodable as ``segment`` does.
    """
    measure = _measure(coding or alphabet.data_coding(text))
    if measure.count(text) <= measure.single:
        return (text,)
    return tuple(_pack(text, measure))


def fits(text: str, coding: DataCoding | None = None) -> bool:
    """Tell whether ``text`` goes out in at most 9 parts.

    That is up to 1377 septets or 603 code units, and fewer when a character that must not be cut leaves parts
    unfilled. Raises NotEncodable as ``segment`` does.
    """
    measure = _measure(coding or alphabet.data_coding(text))
    if measure.count(text) > MAX_PARTS * measure.part:  # a text of megabytes is not packed to find that out
        return False
    return sum(1 for _ in _pack(text, measure)) <= MAX_PARTS


def _measure(coding: DataCoding) -> _Measure:
    match coding:
        case DataCoding.PLAIN:
            return _PLAIN
        case DataCoding.UNICODE:
            return _UNICODE
        case _:
            assert_never(coding)


def _pack(text: str, measure: _Measure) -> Iterator[str]:
    """Yield the parts of a text of several, each as full as whole characters allow.

    "A character represented by an escape-sequence shall not be split in the middle", and neither shall a
    UCS-2 character (3GPP TS 23.040 9.2.3.24.1), here also a surrogate pair. Both are one ``str`` character of
    2 units, so cutting between characters is enough.
    """
    start = 0
    while start < len(text):
        end = min(start + measure.part, len(text))
        # A character takes at most 2 units: to drop half the excess in characters never drops too many.
        while (excess := measure.count(text[start:end]) - measure.part) > 0:
            end -= (excess + 1) // 2
        yield text[start:end]
        start = end
