"""Shows messages as MessageBird's JSON does."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from smsd.sandbox.store import StoredMessage


def rfc3339(seconds: float) -> str:
    """Write UTC epoch seconds as MessageBird does: whole seconds, ``+00:00``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def message_object(message: StoredMessage, base_url: str, now: float) -> dict[str, Any]:
    """Show a message to a client that reached the sandbox at ``base_url``, at ``now`` (UTC epoch seconds)."""
    scheduled = message.scheduled_at
    return {
        "id": message.id,
        "href": f"{base_url}/messages/{message.id}",
        "direction": "mt",
        "type": message.type,
        "originator": message.originator,
        "body": message.body,
        "reference": message.reference,
        "validity": message.validity,
        "gateway": message.gateway,
        "typeDetails": dict(message.type_details),
        "datacoding": message.datacoding.value,
        "mclass": message.mclass,
        "scheduledDatetime": None if scheduled is None else rfc3339(scheduled),
        "createdDatetime": rfc3339(message.arrived_at),
        "recipients": _recipients(message, now),
    }


def _recipients(message: StoredMessage, now: float) -> dict[str, Any]:
    status = message.status(now)
    since = rfc3339(message.arrived_at)
    count = len(message.recipients)
    return {
        "totalCount": count,
        "totalSentCount": count if status == "sent" else 0,
        "totalDeliveredCount": 0,
        "totalDeliveryFailedCount": 0,
        "items": [
            {"recipient": n, "status": status, "statusDatetime": since, "messagePartCount": message.parts}
            for n in message.recipients
        ],
    }


def delivered(messages: Iterable[StoredMessage]) -> dict[str, Any]:
    """Show what the sandbox has taken, for ``GET /sandbox/messages``; ``arrived_at`` is UTC epoch seconds."""
    items = [
        {
            "id": message.id,
            "arrived_at": message.arrived_at,
            "reference": message.reference,
            "originator": message.originator,
            "recipients": list(message.recipients),
            "body": message.body,
            "datacoding": message.datacoding.value,
            "parts": message.parts,
        }
        for message in messages
    ]
    return {"count": len(items), "items": items}
