"""Writes a dead message as a letter that a person can read and another smsd can take up again."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.errors import SmsdError
from smsd.core.lifecycle import State
from smsd.core.message import Category, Event, Message, Priority, What
from smsd.core.moment import read_moment
from smsd.core.report import Delivery, DeliveryStatus
from smsd.core.trace import Traceparent

#: Version of the written form. A change of it needs a reader for what was written before.
FORM: Final = 1
#: What the key of every letter begins with.
PREFIX: Final = "dead/"
#: Fields that are taken as they stand, so their kind is looked at.
_TEXTS: Final = ("id", "error", "message", "reference", "batch", "api_key", "callback_url", "gateway", "provider_id")
_NUMBERS: Final = ("segments", "attempts", "is_held")


@attrs.frozen(kw_only=True)
class ArchiveFailed(SmsdError):
    """The archive cannot be used: {reason}."""

    reason: str  #: in words fit for a log


@attrs.frozen(kw_only=True)
class NoSuchLetter(SmsdError):
    """The archive has no {key}."""

    key: str


@attrs.frozen(kw_only=True)
class BadLetter(SmsdError):
    """That is no letter of smsd's: {reason}."""

    reason: str  #: in words fit for a log: no number, no text


def key(message: Message) -> str:
    """Where the letter of ``message`` is kept: by the UTC day on which it died."""
    return f"{PREFIX}{datetime.fromtimestamp(message.changed_at, UTC):%Y/%m/%d}/{message.id}.json"


def write(message: Message) -> bytes:
    """``message`` as JSON in UTF-8, whole: with its text, its history and the provider's words."""
    fields = {
        "form": FORM,
        "id": message.id,
        "state": message.state.value,
        "error": message.error,
        "recipients": [each.digits for each in message.recipients],
        "originator": message.originator.text,
        "message": message.body,
        "datacoding": message.coding.value,
        "segments": message.segments,
        "priority": message.priority.name.lower(),
        "category": None if message.category is None else message.category.value,
        "reference": message.reference,
        "batch": message.batch,
        "api_key": message.api_key,
        "callback_url": message.callback_url,
        "traceparent": None if message.trace is None else message.trace.text,
        "accepted_at": _written(message.accepted_at),
        "not_before": _written(message.not_before),
        "valid_until": _written(message.valid_until),
        "changed_at": _written(message.changed_at),
        "gateway": message.gateway,
        "attempts": message.attempts,
        "attempted_at": _written(message.attempted_at),
        "tried_since": _written(message.tried_since),
        "sent_at": _written(message.sent_at),
        "provider_id": message.provider_id,
        "attend_at": _written(message.attend_at),
        "is_held": message.is_held,
        "deliveries": [_write_delivery(each) for each in message.deliveries],
        "history": [_write_event(each) for each in message.history],
    }
    # A lone surrogate, which a text may not have but a provider's words might, is written as its escape.
    return json.dumps(fields, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"


def read(letter: bytes) -> Message:
    """The message in ``letter``. Raises BadLetter."""
    try:
        fields = json.loads(letter)
        form = fields["form"]
        if form != FORM:
            raise BadLetter(reason=f"it is of form {form!r}, this smsd reads {FORM}")
        for name in (*_TEXTS, *_NUMBERS):
            if not isinstance(fields[name], str if name in _TEXTS else int):
                raise BadLetter(reason=f"its {name} is of another kind")
        return _read(fields)
    except KeyError as missing:
        raise BadLetter(reason=f"it lacks {missing.args[0]}") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, SmsdError) as wrong:
        if isinstance(wrong, BadLetter):
            raise
        raise BadLetter(reason=f"it cannot be read ({type(wrong).__name__})") from None


def _read(fields: Mapping[str, Any]) -> Message:
    return Message(
        id=fields["id"],
        state=State(fields["state"]),
        error=fields["error"],
        recipients=tuple(Msisdn.parse(each) for each in fields["recipients"]),
        originator=Originator.parse(fields["originator"]),
        body=fields["message"],
        coding=DataCoding(fields["datacoding"]),
        segments=fields["segments"],
        priority=Priority[fields["priority"].upper()],
        category=None if (category := fields.get("category")) is None else Category(category),  # of late
        reference=fields["reference"],
        batch=fields["batch"],
        api_key=fields["api_key"],
        callback_url=fields["callback_url"],
        trace=Traceparent.parse(fields.get("traceparent") or ""),  # older letters have none
        accepted_at=read_moment(fields["accepted_at"]),
        not_before=read_moment(fields["not_before"]),
        valid_until=_maybe(fields["valid_until"]),
        changed_at=read_moment(fields["changed_at"]),
        gateway=fields["gateway"],
        attempts=fields["attempts"],
        attempted_at=_maybe(fields["attempted_at"]),
        tried_since=_maybe(fields["tried_since"]),
        sent_at=_maybe(fields["sent_at"]),
        provider_id=fields["provider_id"],
        attend_at=_maybe(fields["attend_at"]),
        is_held=fields["is_held"],
        deliveries=tuple(_read_delivery(each) for each in fields["deliveries"]),
        history=tuple(_read_event(each) for each in fields["history"]),
    )


def _written(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _maybe(text: str | None) -> float | None:
    return None if text is None else read_moment(text)


def _write_event(event: Event) -> dict[str, Any]:
    return {
        "at": _written(event.at),
        "state": event.state.value,
        "what": event.what.value,
        "detail": event.detail,
    }


def _read_event(fields: Mapping[str, Any]) -> Event:
    return Event(
        at=read_moment(fields["at"]),
        state=State(fields["state"]),
        what=What(fields["what"]),
        detail=fields["detail"],
    )


def _write_delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "recipient": delivery.recipient.digits,
        "status": delivery.status.value,
        "at": _written(delivery.at),
        "reason": delivery.reason,
        "error_code": delivery.error_code,
        "network": delivery.network,
    }


def _read_delivery(fields: Mapping[str, Any]) -> Delivery:
    return Delivery(
        recipient=Msisdn.parse(fields["recipient"]),
        status=DeliveryStatus(fields["status"]),
        at=read_moment(fields["at"]),
        reason=fields["reason"],
        error_code=fields["error_code"],
        network=fields["network"],
    )
