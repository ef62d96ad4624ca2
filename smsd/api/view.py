"""Shows a message as the API's clients see it."""

from datetime import UTC, datetime
from typing import Any

from smsd.core.lifecycle import State
from smsd.core.message import Event, Message, What
from smsd.core.report import Delivery


def moment(at: float | None) -> str | None:
    """``at`` (UTC epoch seconds) in RFC 3339, to the millisecond."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(message: Message) -> dict[str, Any]:
    """The body of ``GET /sms/ID``, with the text of the SMS as its ``message``."""
    return {
        "message": message.body,
        "status": "ok",
        "id": message.id,
        "state": message.state.value,
        "recipient": int(message.recipients[0].digits),
        "originator": message.originator.text,
        "segments": message.segments,
        "datacoding": message.coding.value,
        "priority": message.priority.name.lower(),
        "reference": message.reference or None,
        "attempts": message.attempts,
        "accepted_at": moment(message.accepted_at),
        "not_before": moment(message.not_before),
        "sent_at": moment(message.sent_at),
        "valid_until": moment(message.valid_until),
        "provider_id": message.provider_id or None,
        "error": message.error or None,
        "deliveries": [_delivery(each) for each in message.deliveries],
        "history": [_line(event) for event in (_acceptance(message), *message.history)],
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "recipient": int(delivery.recipient.digits),
        "status": delivery.status.value,
        "at": moment(delivery.at),
        "reason": delivery.reason or None,
        "error_code": delivery.error_code,
        "network": delivery.network or None,
    }


def _acceptance(message: Message) -> Event:
    # It stands in the message anyway, and is not stored twice.
    return Event(at=message.accepted_at, state=State.QUEUED, what=What.ACCEPTED)


def _line(event: Event) -> dict[str, Any]:
    return {
        "at": moment(event.at),
        "state": event.state.value,
        "what": event.what.value,
        "detail": event.detail or None,
    }
