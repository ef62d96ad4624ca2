"""Remembers in the archive which letters were sent once more, for longer than smsd remembers a key."""

import json
from typing import Final

import attrs

from smsd.cli.cabinet import Cabinet
from smsd.cli.output import Failed
from smsd.core.letter import PREFIX, NoSuchLetter

#: Where it is written that a letter is about to be posted, and that smsd has taken it.
ASKED: Final = "replayed/asked/"
TAKEN: Final = "replayed/taken/"


@attrs.frozen(kw_only=True)
class Receipt:
    """That one letter was sent once more."""

    at: float  #: UTC epoch seconds
    url: str  #: the smsd that it went to
    id: str | None = None  #: of the message that it became; None while that is not known


class Receipts:
    """The receipts beside the letters of one archive."""

    def __init__(self, cabinet: Cabinet) -> None:
        self._cabinet = cabinet

    def asked(self, key: str, receipt: Receipt) -> Receipt:
        """Note that the letter ``key`` is about to be posted; the first such note. Raises ArchiveFailed."""
        self._cabinet.put(ASKED + key.removeprefix(PREFIX), _written(receipt))
        return self._read(ASKED, key) or receipt

    def taken(self, key: str, receipt: Receipt | None = None) -> Receipt | None:
        """Note, if there is a ``receipt``, that smsd took the letter ``key``; what is noted of it, None if nothing is.

        Raises ArchiveFailed.
        """
        if receipt is not None:
            self._cabinet.put(TAKEN + key.removeprefix(PREFIX), _written(receipt))
        return self._read(TAKEN, key)

    def _read(self, place: str, key: str) -> Receipt | None:
        try:
            body = self._cabinet.letter(place + key.removeprefix(PREFIX))
        except NoSuchLetter:
            return None
        try:
            return Receipt(**json.loads(body))
        except (ValueError, TypeError):
            raise Failed(f"{place}{key.removeprefix(PREFIX)} is no receipt of smsctl.") from None


def _written(receipt: Receipt) -> bytes:
    return json.dumps(attrs.asdict(receipt)).encode() + b"\n"
