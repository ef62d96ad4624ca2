"""Reads single fields of what a provider tells us by itself, strictly."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from smsd.core.address import Msisdn
from smsd.core.errors import InvalidAddress
from smsd.core.report import BadReport
from smsd.core.scrub import line

#: Characters of an id or a status; theirs have 32, ours 26. Whatever is longer is not theirs.
MAX_WORD: Final = 64
#: Characters of a reason that are kept.
MAX_REASON: Final = 200
#: Characters of an incoming text: 255 parts of 153 septets, 3GPP TS 23.040 9.2.3.24.1.
MAX_BODY: Final = 255 * 153
#: Digits or letters of who an SMS is from: 10 octets of two digits each, 3GPP TS 23.040 9.1.2.5.
MAX_ORIGINATOR: Final = 20
#: RFC 3339 5.6. MessageBird leaves the ``+`` of an offset bare in a query, where it reads as a space.
_MOMENT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]+)?)(Z|[+ -][0-9]{2}:[0-9]{2})", re.ASCII)
#: A country's code of 3 digits and an operator's of 2 or 3, ITU-T E.212.
_NETWORK: Final = re.compile(r"[0-9]{5,6}", re.ASCII)
_CODE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def optional(params: Mapping[str, object], name: str) -> str:
    """The field as text, a number of JSON too; empty when it is not there or is something else."""
    value = params.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def text(params: Mapping[str, object], name: str, limit: int) -> str:
    """The field as text, perhaps empty. Raises BadReport when it is not there, or longer than ``limit`` characters."""
    if params.get(name) is None:
        raise BadReport(reason=f"it has no {name}")
    given = optional(params, name)
    if len(given) > limit or (not given and params[name] != ""):
        raise BadReport(reason=f"its {name} cannot be read")
    return given


def word(params: Mapping[str, object], name: str, limit: int = MAX_WORD) -> str:
    """The field as a line of at most ``limit`` characters that is not blank. Raises BadReport."""
    given = text(params, name, limit)
    if not given.isprintable() or not given.strip():
        raise BadReport(reason=f"its {name} cannot be read")
    return given


def msisdn(params: Mapping[str, object], name: str) -> Msisdn:
    """The field as a phone number. Raises BadReport."""
    try:
        # A bare ``+`` in a query reads as a space.
        return Msisdn.parse(word(params, name).strip())
    except InvalidAddress:
        raise BadReport(reason=f"its {name} is no MSISDN") from None


def originator(params: Mapping[str, object], name: str) -> str:
    """A number or a name. Names are not held to what we may send under ourselves: such a message is no less real."""
    given = word(params, name, MAX_ORIGINATOR + 1).strip()  # and the ``+`` of a number
    try:
        return Msisdn.parse(given).digits
    except InvalidAddress:
        return given


def moment(params: Mapping[str, object], name: str) -> float:
    """UTC epoch seconds. Raises BadReport unless the field is RFC 3339 with an offset."""
    match = _MOMENT.fullmatch(word(params, name))
    if match is None:
        raise BadReport(reason=f"its {name} is no RFC 3339 date and time with an offset")
    try:
        return datetime.fromisoformat(match[1] + match[2].replace(" ", "+")).timestamp()
    except ValueError:
        raise BadReport(reason=f"its {name} is no date and time that exists") from None


def storable(text: str) -> str:
    """The text without what a database cannot keep: NUL and lone surrogates become U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain(text: str) -> str:
    """The text fit for a log: on one line, without phone numbers, and not too long."""
    return line(text, MAX_REASON)


def code(text: str) -> int | None:
    """The number in the text, None if there is none."""
    return int(text) if _CODE.fullmatch(text) else None


def network(text: str) -> str:
    """The text if it is an operator's MCC and MNC, else empty."""
    return text if _NETWORK.fullmatch(text) else ""
