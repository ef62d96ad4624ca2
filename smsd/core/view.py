"""Shows a message as clients and their callbacks see it."""

from collections.abc import Sequence
from typing import Any, Final

from smsd.core.lifecycle import State
from smsd.core.message import Event, Message, What
from smsd.core.moment import moment
from smsd.core.report import Delivery, Inbound

#: What is told of a whole is told of the part that needs a look first, in this order.
_FIRST_LOOK: Final = (
    State.QUEUED,
    State.SENDING,
    State.UNCERTAIN,
    State.DEAD,
    State.UNDELIVERED,
    State.EXPIRED,
    State.CANCELED,
    State.SENT,
    State.DELIVERED,
)


def shown_whole(id: str, messages: Sequence[Message]) -> dict[str, Any]:
    """The body of ``GET /sms/ID``: one message, or a broadcast as a whole with its parts."""
    if len(messages) == 1 and messages[0].id == id:
        return shown(messages[0])
    whole = shown(min(messages, key=lambda message: _FIRST_LOOK.index(message.state)))
    states = {state.value: sum(len(m.recipients) for m in messages if m.state is state) for state in State}
    return {
        **whole,
        "id": id,
        "recipients": [number for message in messages for number in _numbers(message)],
        "attempts": sum(message.attempts for message in messages),
        "states": {state: count for state, count in states.items() if count},
        "parts": [
            {"id": message.id, "state": message.state.value, "recipients": len(message.recipients)}
            for message in messages
        ],
        "deliveries": [_delivery(each) for message in messages for each in message.deliveries],
    }


def shown(message: Message) -> dict[str, Any]:
    """The body of ``GET /sms/ID``, with the text of the SMS as its ``message``."""
    return {
        "message": message.body,
        "status": "ok",
        **facts(message),
        "history": [_line(event) for event in (_acceptance(message), *message.history)],
    }


def facts(message: Message) -> dict[str, Any]:
    """All that is told of a message but its text and its history."""
    return {
        "id": message.id,
        "state": message.state.value,
        **_to(message),
        "originator": message.originator.text,
        "segments": message.segments,
        "datacoding": message.coding.value,
        "priority": message.priority.name.lower(),
        "category": None if message.category is None else message.category.value,
        "reference": message.reference or None,
        "batch": message.batch or None,
        "api_key": message.api_key,
        "callback_url": message.callback_url or None,
        "traceparent": None if message.trace is None else message.trace.text,
        "held": message.is_held,
        "attempts": message.attempts,
        "accepted_at": moment(message.accepted_at),
        "not_before": moment(message.not_before),
        "sent_at": _moment(message.sent_at),
        "valid_until": _moment(message.valid_until),
        "provider_id": message.provider_id or None,
        "error": message.error or None,
        "deliveries": [_delivery(each) for each in message.deliveries],
    }


def received_facts(inbound: Inbound) -> dict[str, Any]:
    """All that is told of an incoming message."""
    return {
        "id": inbound.id,
        "originator": inbound.originator,
        "recipient": int(inbound.recipient.digits),
        "message": inbound.body,
        "received_at": moment(inbound.received_at),
    }


def _to(message: Message) -> dict[str, Any]:
    numbers = _numbers(message)
    return {"recipient": numbers[0]} if len(numbers) == 1 else {"recipients": numbers}


def _moment(at: float | None) -> str | None:
    return None if at is None else moment(at)


def _numbers(message: Message) -> list[int]:
    return [int(each.digits) for each in message.recipients]


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
