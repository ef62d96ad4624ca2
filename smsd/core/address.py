"""Parses phone numbers and originators into types that need no second look."""

import re
from typing import Final

import attrs

from smsd.core.errors import InvalidAddress

#: E.164 6.2.1: at most 15 digits; a country code never starts with 0. Four digits keep national test numbers possible.
_MSISDN: Final = re.compile(r"\+?([1-9][0-9]{3,14})", re.ASCII)
_LEAST: Final = 10**3
_MOST: Final = 10**15
_NUMERIC: Final = re.compile(r"\+?[0-9]{6,15}", re.ASCII)
#: An alphanumeric TP-OA holds 11 septets, 3GPP TS 23.040 9.1.2.5.
_ALPHANUMERIC: Final = re.compile(r"[A-Za-z0-9 ]{1,11}", re.ASCII)


@attrs.frozen
class Msisdn:
    """A phone number in international form: digits only, country code first."""

    digits: str  #: 4 to 15 digits, no ``+``

    @classmethod
    def parse(cls, value: int | str) -> "Msisdn":
        """Read ``31612345678`` or ``"+31612345678"``. Raises InvalidAddress."""
        if type(value) is int and _LEAST <= value < _MOST:  # as most come; an int has no leading 0
            return cls(str(value))
        match = _MSISDN.fullmatch(str(value))
        if match is None:
            raise InvalidAddress(kind="MSISDN")
        return cls(match[1])

    def masked(self) -> str:
        """The first and the last two digits, for logs; nothing of a number so short that this would be most of it."""
        return f"{self.digits[:2]}…{self.digits[-2:]}" if len(self.digits) > 7 else "…"


@attrs.frozen
class Originator:
    """Who an SMS says it is from: a number of 6 to 15 digits, or 1 to 11 letters, digits and spaces."""

    text: str  #: as the provider is given it

    @classmethod
    def parse(cls, value: str) -> "Originator":
        """Read an originator. Raises InvalidAddress."""
        numeric = _NUMERIC.fullmatch(value)
        if numeric is None and (_ALPHANUMERIC.fullmatch(value) is None or not value.strip()):
            raise InvalidAddress(kind="originator")
        return cls(value)
