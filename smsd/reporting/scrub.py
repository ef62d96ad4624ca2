"""Takes out of words whatever may be somebody's number, text or key, before they leave this machine."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Set
from html import unescape
from typing import Final
from urllib.parse import unquote

from smsd.core.scrub import unnumbered

#: What somebody quotes is as likely as not what a client sent. Up to the last mark of its kind, as it may quote marks
#: itself, or to the end where it was cut off.
_QUOTED: Final = re.compile(
    r"""(?<!\w)(?:(['"`])(?:.*\1(?!\w)|.*)|‘(?:.*’(?!\w)|.*)|“(?:.*”|.*)|«(?:.*»|.*))""", re.DOTALL
)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")
_WORD: Final = re.compile(r"\w+")
#: This many letters and digits in a row that a text has too are taken for a piece of it.
_PIECE: Final = 8
#: The same of a key.
_KEY_PIECE: Final = 10
#: A text shorter than this says nothing by itself, and would blot out half a sentence; so would its shorter words.
_MIN_TEXT: Final = 4


class Keys:
    """Secrets that nobody may be told."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._whole = sorted(filter(None, set(keys)), key=len, reverse=True)
        self._pieces = {each for key in self._whole for each in _pieces(key, _KEY_PIECE)}

    def without(self, words: str) -> str:
        """``words`` without the keys and without longer pieces of them."""
        for key in self._whole:
            words = words.replace(key, "[key]")
        starts = [at for at, piece in enumerate(_pieces(words, _KEY_PIECE)) if piece in self._pieces]
        return _masked(words, {at + more for at in starts for more in range(_KEY_PIECE)}, "[key]")


def scrub(words: str, keys: Keys | None = None) -> str:
    """``words`` without numbers, quotations, URLs and the secret ``keys``."""
    kept = words if keys is None else keys.without(words)
    return unnumbered(_QUOTED.sub("[quoted]", _URL.sub("[url]", kept)))


def without_text(words: str, text: str, numbers: Collection[str] = ()) -> str:
    """``words`` without ``text``, pieces of it and its longer words, and without pieces of the ``numbers``.

    However they are written: escaped for a URL, JSON or HTML, in capitals, without accents, with other marks between.
    """
    words = _without(_plain(_without(words, text)), text)
    masked = _places_of_pieces(words, text) | _places_of_words(words, _words_of(text))
    said = _masked(words, masked, "[text]")
    return re.sub(
        r"\+?\d{4,}",
        lambda found: "[number]" if any(found[0].lstrip("+") in each for each in numbers) else found[0],
        said,
    )


def pattern(words: str) -> str:
    """``words`` with every word that has a digit as ``#``: what two tellings of the same trouble have in common."""
    return re.sub(r"\S*[0-9]\S*", "#", words)


def _without(words: str, text: str) -> str:
    return words if len(text) < _MIN_TEXT else words.replace(text, "[text]")


def _plain(words: str) -> str:
    return _ESCAPE.sub(lambda code: chr(int(code[1], 16)), unescape(unquote(words)))


def _folded(text: str) -> tuple[str, list[int]]:
    """The letters and digits of ``text`` in their plainest form, and the place of each."""
    letters, places = [], []
    for place, character in enumerate(text):
        for letter in unicodedata.normalize("NFKD", character).casefold():
            if letter.isalnum():
                letters.append(letter)
                places.append(place)
    return "".join(letters), places


def _places_of_pieces(words: str, text: str) -> set[int]:
    (given, places), (needle, _) = _folded(words), _folded(text)
    size = min(_PIECE, len(needle))
    if size < _MIN_TEXT:
        return set()
    pieces = set(_pieces(needle, size))
    found: set[int] = set()
    for at, piece in enumerate(_pieces(given, size)):
        if piece in pieces:
            found.update(range(places[at], places[at + size - 1] + 1))
    return found


def _words_of(text: str) -> set[str]:
    # A code of three digits is often all that a text has to say.
    return {each for each in _WORD.findall(_folded_whole(text)) if len(each) >= (3 if each.isdigit() else _MIN_TEXT)}


def _places_of_words(words: str, known: Set[str]) -> set[int]:
    found = (each for each in _WORD.finditer(words) if _folded(each[0])[0] in known)
    return {place for each in found for place in range(*each.span())}


def _folded_whole(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(len(text) - size + 1)]


def _masked(words: str, places: Set[int], mark: str) -> str:
    kept: list[str] = []
    for place, character in enumerate(words):
        if place not in places:
            kept.append(character)
        elif place - 1 not in places:
            kept.append(mark)
    return "".join(kept)
