"""Finds phone numbers in other people's words, and takes them out with whatever else is named."""

import re
from collections.abc import Iterable
from typing import Final

#: What stays on this machine: seven digits or more, perhaps in groups, as numbers are; addresses stay readable.
_HERE: Final = r"\d(?:[\s()-]{0,2}\d){6,}"
#: What stays readable though it has as many digits: a time, the id of a message or of a callback (see core.callback).
_KEPT: Final = r"(?P<kept>\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d|\b0[0-7][0-9A-HJKMNP-TV-Z]{24}\b(?:-[a-z]+-\d{13}\b)?)"
_BETWEEN: Final = r"(?:[^\w;,\[\]]|_){0,3}"
#: What leaves it: five digits or more whatever stands between them, and all that follows a plus. Not Bird's codes.
_AWAY: Final = re.compile(rf"\bE\d{{5}}\b|\+[\s(]*\d(?:{_BETWEEN}\d)*|\d(?:(?:{_BETWEEN}|,)\d){{4,}}")
#: A hidden word shorter than this would blot out half a sentence, and says nothing by itself.
_MIN_HIDDEN: Final = 4


def hide(words: str, hidden: Iterable[str] = ()) -> str:
    """``words`` fit for a log of ours: without the ``hidden`` ones (key, text, numbers) and without phone numbers."""
    if not words:  # as it is nearly always
        return words
    long = sorted((word for word in hidden if len(word) >= _MIN_HIDDEN), key=len, reverse=True)
    # One pass, so that a short number cannot break up a long one and leave its ends.
    return re.sub("|".join([*map(re.escape, long), _KEPT, _HERE]), lambda found: found["kept"] or "***", words)


def line(words: str, limit: int, hidden: Iterable[str] = ()) -> str:
    """The same on one line of at most ``limit`` characters."""
    printable = "".join(character if character.isprintable() else " " for character in hide(words, hidden))
    return hide(" ".join(printable.split()))[:limit]  # once more: what was between two digits may be a space now


def unnumbered(words: str) -> str:
    """``words`` fit to leave this machine, as far as numbers go."""
    return _AWAY.sub(lambda found: found[0] if found[0].startswith("E") else "[number]", words)
