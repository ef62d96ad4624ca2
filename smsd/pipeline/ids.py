"""Makes ids: ULIDs (github.com/ulid/spec), which rise with time and name nothing else in the world."""

import os
from collections.abc import Callable
from typing import Final

#: Crockford's base 32, and all its pairs: two characters for ten bits.
_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = [first + second for first in _DIGITS for second in _DIGITS]
#: Where each pair begins in the 50 bits of the time, the first two of which are 0.
_SHIFTS: Final = range(40, -1, -10)
#: A digit for each octet, by its last five bits.
_OF_OCTET: Final = (_DIGITS * 8).encode()
#: Characters of chance in an id.
_CHARACTERS: Final = 16
#: Ids whose chance is fetched at once.
STOCK: Final = 100


class Ids:
    """Makes ULIDs of 26 characters: the time in milliseconds, 48 bits, and 80 bits of chance. Any thread may ask."""

    def __init__(self, now: Callable[[], float], random: Callable[[int], bytes] = os.urandom) -> None:
        """``now`` gives UTC epoch seconds, ``random`` as many random octets as it is asked for."""
        self._now = now
        self._random = random
        self._chances: list[str] = []
        self._latest = (-1, "")

    def __call__(self) -> str:
        """A new id. A library's took twenty times as long, a tenth of an accept."""
        try:
            chance = self._chances.pop()
        except IndexError:  # to ask the system each time is slow
            chance, *self._chances = self._stock()
        time = int(self._now() * 1000.0)
        latest, prefix = self._latest
        if time != latest:
            prefix = "".join([_PAIRS[time >> shift & 1023] for shift in _SHIFTS])
            self._latest = time, prefix
        return prefix + chance

    def _stock(self) -> list[str]:
        digits = self._random(_CHARACTERS * STOCK).translate(_OF_OCTET).decode()
        return [digits[at : at + _CHARACTERS] for at in range(0, len(digits), _CHARACTERS)]
