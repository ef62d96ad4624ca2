"""Reads a message out of what a client posts, or refuses it in MessageBird's words."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from smsd.core.alphabet import DataCoding, is_gsm
from smsd.core.segments import MAX_PARTS, Segmentation, fits, segment
from smsd.sandbox.problems import Problem, Refusal, invalid
from smsd.sandbox.store import StoredMessage

_T = TypeVar("_T", int, None)

MAX_RECIPIENTS: Final = 50  # MessageBird, SMS messaging: a maximum of 50 recipients per request
_MSISDN: Final = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)  # short codes are refused
_ORIGINATOR: Final = re.compile(r"\+?[0-9]{1,17}|(?=.*\S)[A-Za-z0-9 ]{1,11}", re.ASCII)


def read_fields(content: bytes, content_type: str) -> dict[str, Any]:
    """Read a posted JSON object, or form as curl's ``-d`` sends it. Raises Refusal (400)."""
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(content.decode(), strict_parsing=True))
        fields = json.loads(content)
    except ValueError:
        raise Refusal(400) from None
    if not isinstance(fields, dict):
        raise Refusal(400)
    return fields


def read_message(fields: Mapping[str, Any], *, id: str, arrived_at: float) -> StoredMessage:
    """Make the message that a client asks to send. Raises Refusal (422)."""
    recipients, originator = _addresses(fields)
    segmented, body = _segmented(_body(fields), fields.get("datacoding") or "plain")
    reference, details = fields.get("reference"), fields.get("typeDetails")
    return StoredMessage(
        id=id,
        arrived_at=arrived_at,
        originator=originator,
        recipients=recipients,
        body=body,
        datacoding=segmented.coding,
        parts=segmented.parts,
        reference=None if reference is None else str(reference),
        type=_one_of(fields, "type", ("sms", "flash"), "sms"),
        mclass=_integer(fields, "mclass", range(4), 1),
        validity=_integer(fields, "validity", range(1, 2**31), None),
        gateway=_integer(fields, "gateway", range(2**31), 10),
        type_details=details if isinstance(details, dict) else {},
        scheduled_at=_moment(fields, "scheduledDatetime"),
    )


def read_moment(text: str) -> float:
    """Turn an RFC 3339 date and time into UTC epoch seconds. Raises ValueError, also without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a date and time needs its offset from UTC")
    return moment.timestamp()


def _addresses(fields: Mapping[str, Any]) -> tuple[tuple[int, ...], str]:
    """Read whom it is to and from; both are looked at before either is blamed."""
    problems = []
    recipients = _recipients(fields.get("recipients"))
    if not recipients:
        problems.append(Problem(9, "no (correct) recipients found", "recipient"))
    if len(recipients) > MAX_RECIPIENTS:
        problems.append(Problem(10, f"recipients: at most {MAX_RECIPIENTS} are allowed", "recipients"))
    originator = str(fields.get("originator") or "")
    if not originator:
        problems.append(Problem(9, "originator is required", "originator"))
    elif not _ORIGINATOR.fullmatch(originator):
        problems.append(Problem(10, "originator is invalid", "originator"))
    if problems:
        raise Refusal(422, *problems)
    return recipients, originator


def _recipients(value: object) -> tuple[int, ...]:
    """Take the correct numbers of a list, or of a text with commas, and drop the others."""
    items: Iterable[object] = value if isinstance(value, list) else str(value).split(",")
    matches = (_MSISDN.fullmatch(str(item).strip()) for item in items)
    return tuple(int(match[1]) for match in matches if match)


def _body(fields: Mapping[str, Any]) -> str:
    body = fields.get("body")
    if body is None or body == "":
        raise Refusal(422, Problem(9, "body is required", "body"))
    if not isinstance(body, str):
        raise invalid("body")
    return body


def _segmented(body: str, datacoding: object) -> tuple[Segmentation, str]:
    """Cut a text into parts; ``plain`` spoils what GSM 03.38 lacks, as the real one does."""
    if datacoding not in ("auto", "plain", "unicode"):
        raise invalid("datacoding")
    if datacoding == "plain":
        body = "".join(c if is_gsm(c) else "?" for c in body)
    coding = None if datacoding == "auto" else DataCoding(datacoding)
    if not fits(body, coding):
        raise Refusal(422, Problem(10, f"body is too long: at most {MAX_PARTS} parts are allowed", "body"))
    return segment(body, coding), body


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = fields.get(name) or default
    if value not in allowed:
        raise invalid(name)
    return str(value)


def _integer(fields: Mapping[str, Any], name: str, allowed: range, default: _T) -> int | _T:
    value = fields.get(name)
    if value is None:
        return default
    if not str(value).isdecimal() or int(value) not in allowed:
        raise invalid(name)
    return int(value)


def _moment(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    try:
        return None if value is None else read_moment(str(value))
    except ValueError:
        raise invalid(name) from None
