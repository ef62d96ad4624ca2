"""Takes out of words whatever may be somebody's number, text or key, before they leave this machine."""

import re
from collections.abc import Iterable
from typing import Final

#: Five digits or more, however they are set apart (31 6 12-34), or what follows a plus.
_NUMBER: Final = re.compile(r"\+[\s(]*[0-9](?:[\s()./-]{0,2}[0-9])*|[0-9](?:[\s()./-]{0,2}[0-9]){4,}")
#: What somebody quotes is as likely as not what a client sent.
_QUOTED: Final = re.compile(r"""(?<!\w)(?:'[^']*'|"[^"]*"|‘[^’]*’|“[^”]*”|«[^»]*»|`[^`]*`)""", re.DOTALL)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
#: This many characters in a row that a text has too are taken for a piece of it.
_PIECE: Final = 12
#: A text shorter than this says nothing by itself, and would blot out half a sentence.
_MIN_TEXT: Final = 4


def scrub(words: str, keys: Iterable[str] = ()) -> str:
    """``words`` without numbers, quotations, URLs and the given secret ``keys``."""
    return unnumbered(_QUOTED.sub("[quoted]", _URL.sub("[url]", without_keys(words, keys))))


def without_keys(words: str, keys: Iterable[str]) -> str:
    """``words`` without the secret ``keys``."""
    for key in sorted(filter(None, keys), key=len, reverse=True):
        words = words.replace(key, "[key]")
    return words


def unnumbered(words: str) -> str:
    """``words`` without numbers."""
    return _NUMBER.sub("[number]", words)


def without_text(words: str, text: str) -> str:
    """``words`` without ``text`` and without longer pieces of it, in any case of letters."""
    lower, needle = words.lower(), text.lower()
    if len(lower) != len(words):  # a letter whose lower case is longer: places would shift
        lower, needle = words, text
    piece = min(_PIECE, max(_MIN_TEXT, len(needle)))
    kept: list[str] = []
    at = 0
    while at < len(words):
        length = _shared(lower, at, needle, piece)
        kept.append("[text]" if length else words[at])
        at += length or 1
    return "".join(kept)


def pattern(words: str) -> str:
    """``words`` with every word that has a digit as ``#``: what two tellings of the same trouble have in common."""
    return re.sub(r"\S*[0-9]\S*", "#", words)


def _shared(words: str, at: int, text: str, piece: int) -> int:
    """How many characters from ``at`` stand in ``text`` too; 0 when fewer than ``piece``."""
    length = piece
    if len(words) - at < piece or words[at : at + piece] not in text:
        return 0
    while at + length < len(words) and words[at : at + length + 1] in text:
        length += 1
    return length
