"""Reads what MessageBird tells us by itself: status reports and incoming messages."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import jwt
from messagebird.error import ValidationError
from messagebird.request_validator import RequestValidator

from smsd.core.address import Msisdn
from smsd.core.errors import InvalidAddress
from smsd.core.report import BadReport, BadSignature, DeliveryStatus, Inbound, Report

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
#: A run of this many digits is taken for a phone number.
_NUMBER: Final = re.compile(r"[0-9]{7,}", re.ASCII)


def status_report(params: Mapping[str, object]) -> Report:
    """Read a status report from its query, form or JSON fields (``id reference recipient status statusDatetime`` …).

    What it must have is read strictly. A reason, code or network that cannot be read is left out: it must not cost us
    the status. Raises BadReport.
    """
    return Report(
        reference=_word(params, "reference"),
        recipient=_msisdn(params, "recipient"),
        status=_status(params),
        at=_moment(params, "statusDatetime"),
        reason=_plain(_optional(params, "statusReason")),
        error_code=_code(_optional(params, "statusErrorCode")),
        network=_network(_optional(params, "mccmnc")),
        provider_id=_optional(params, "id")[:MAX_WORD],
    )


def inbound(params: Mapping[str, object]) -> Inbound:
    """Read an incoming message from ``id originator recipient body createdDatetime``. Raises BadReport."""
    return Inbound(
        id=_word(params, "id"),
        originator=_originator(params),
        recipient=_msisdn(params, "recipient"),
        body=_storable(_text(params, "body", MAX_BODY)),
        received_at=_moment(params, "createdDatetime"),
    )


def public_url(base: str, uri: bytes) -> str:
    """The URL that the provider called: what we are known under outside, and the request line's path and query.

    What a proxy in front makes of host, scheme or path is not what was signed. The path and query stay as they came.
    """
    return base.rstrip("/") + uri.decode("utf-8", "surrogateescape")


def verify(signing_key: str, *, signature: str, url: str, body: bytes) -> None:
    """Check that MessageBird signed this request for ``url`` (see ``public_url``) and ``body``.

    ``signature`` is the header ``MessageBird-Signature-JWT``. The SDK's own validator checks it: it takes HS256, HS384
    and HS512 only, and **reads the wall clock by itself**, so that no time can be given to it, and a clock that is more
    than a second behind refuses good requests (``nbf``). It does not remember ``jti``: a request can be repeated until
    its ``exp``, so whoever takes it must not mind. Raises BadSignature.
    """
    try:
        RequestValidator(signing_key).validate_signature(signature, url, body)
    except ValidationError as error:
        # Its words may quote the header of a token that nobody has signed.
        raise BadSignature(reason=_plain(error.message)) from None
    except jwt.PyJWTError:
        raise BadSignature(reason="our own signing key cannot be used") from None
    # The validator takes it for granted that the hashes are there and are text, and that all can be written as UTF-8.
    except (KeyError, TypeError, UnicodeEncodeError):
        raise BadSignature(reason="its claims or its URL cannot be read") from None


def _optional(params: Mapping[str, object], name: str) -> str:
    """The field as text, a number of JSON too; empty when it is not there or is something else."""
    value = params.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _text(params: Mapping[str, object], name: str, limit: int) -> str:
    """The field as text, perhaps empty. Raises BadReport when it is not there, or longer than ``limit`` characters."""
    if params.get(name) is None:
        raise BadReport(reason=f"it has no {name}")
    text = _optional(params, name)
    if len(text) > limit or (not text and params[name] != ""):
        raise BadReport(reason=f"its {name} cannot be read")
    return text


def _word(params: Mapping[str, object], name: str, limit: int = MAX_WORD) -> str:
    word = _text(params, name, limit)
    if not word.isprintable() or not word.strip():
        raise BadReport(reason=f"its {name} cannot be read")
    return word


def _msisdn(params: Mapping[str, object], name: str) -> Msisdn:
    try:
        # A bare ``+`` in a query reads as a space.
        return Msisdn.parse(_word(params, name).strip())
    except InvalidAddress:
        raise BadReport(reason=f"its {name} is no MSISDN") from None


def _originator(params: Mapping[str, object]) -> str:
    """A number or a name. Names are not held to what we may send under ourselves: such a message is no less real."""
    name = _word(params, "originator", MAX_ORIGINATOR + 1).strip()  # and the ``+`` of a number
    try:
        return Msisdn.parse(name).digits
    except InvalidAddress:
        return name


def _status(params: Mapping[str, object]) -> DeliveryStatus:
    word = _word(params, "status")
    try:
        return DeliveryStatus(word)
    except ValueError:
        raise BadReport(reason=f"its status {_NUMBER.sub('***', word)!r} is unknown") from None


def _moment(params: Mapping[str, object], name: str) -> float:
    """UTC epoch seconds. Raises BadReport unless the field is RFC 3339 with an offset."""
    match = _MOMENT.fullmatch(_word(params, name))
    if match is None:
        raise BadReport(reason=f"its {name} is no RFC 3339 date and time with an offset")
    try:
        return datetime.fromisoformat(match[1] + match[2].replace(" ", "+")).timestamp()
    except ValueError:
        raise BadReport(reason=f"its {name} is no date and time that exists") from None


def _storable(text: str) -> str:
    """The text without what a database cannot keep: NUL and lone surrogates become U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(text: str) -> str:
    """The text fit for a log: on one line, without phone numbers, and not too long."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(_NUMBER.sub("***", printable).split())[:MAX_REASON]


def _code(text: str) -> int | None:
    return int(text) if _CODE.fullmatch(text) else None


def _network(text: str) -> str:
    return text if _NETWORK.fullmatch(text) else ""
