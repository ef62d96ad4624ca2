"""Reads messages out of what a client posts to Bird, and shows them as Bird does."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from smsd.core.alphabet import DataCoding
from smsd.core.segments import fits, segment
from smsd.pipeline.ids import Ids
from smsd.sandbox.bird_problems import BirdRefusal, Detail
from smsd.sandbox.store import StoredMessage

MAX_BATCH: Final = 100  # Bird, SMSMessageBatchRequest
MAX_METADATA: Final = 2048  # octets; Bird, SMSMessageSendRequest
CATEGORIES: Final = ("transactional", "marketing", "authentication", "service")
_TO: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_FROM: Final = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{5,6}|(?=.*[A-Za-z])[A-Za-z0-9 _-]{1,11}", re.ASCII)
_ENCODINGS: Final = {DataCoding.PLAIN: "GSM_7BIT", DataCoding.UNICODE: "UCS2"}


def read_batch(fields: Mapping[str, Any], arrived_at: float) -> list[StoredMessage]:
    """Make the messages of a batch, all or none. Raises BirdRefusal (422)."""
    items = fields.get("messages")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH:
        raise BirdRefusal(422, Detail("messages", f"must be a list of 1 to {MAX_BATCH} messages"))
    wrong = [each for place, item in enumerate(items) for each in _wrong(item, f"messages[{place}].")]
    if wrong:
        raise BirdRefusal(422, *wrong)
    return [_message(item, arrived_at) for item in items]


def read_one(fields: Mapping[str, Any], arrived_at: float) -> StoredMessage:
    """Make the one message that a client asks to send. Raises BirdRefusal (422)."""
    if wrong := _wrong(fields, ""):
        raise BirdRefusal(422, *wrong)
    return _message(fields, arrived_at)


def shown(message: StoredMessage) -> dict[str, Any]:
    """The message as Bird's JSON has it."""
    nothing = ("requested_language", "resolved_language", "template_id", "template_version_id", "template_content_hash")
    return {
        "id": message.id,
        "direction": "outbound",
        "status": "accepted",
        "to": f"+{message.recipients[0]}",
        "from": message.originator,
        "text": message.body,
        "category": message.type,
        "segments": {
            "count": message.parts,
            "encoding": _ENCODINGS[message.datacoding],
            "characters": len(message.body),
        },
        "metadata": dict(message.metadata),
        "created_at": datetime.fromtimestamp(message.arrived_at, UTC).isoformat(timespec="milliseconds"),
        "sent_at": None,
        "delivered_at": None,
        **dict.fromkeys(nothing),
    }


def _wrong(item: object, path: str) -> list[Detail]:
    if not isinstance(item, Mapping):
        return [Detail(path.rstrip("."), "must be an object")]
    checks = {
        "to": (_matches(_TO, item.get("to")), "must be a phone number in E.164 format"),
        "from": (_matches(_FROM, item.get("from")), "must be a sender that the workspace holds"),
        "text": (_is_text(item.get("text")), "must be a text of at most 9 segments"),
        "category": (item.get("category") in CATEGORIES, f"must be one of {', '.join(CATEGORIES)}"),
        "metadata": (_is_metadata(item.get("metadata", {})), f"must be an object of at most {MAX_METADATA} octets"),
    }
    return [Detail(path + name, message) for name, (is_right, message) in checks.items() if not is_right]


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and fits(value, None)


def _is_metadata(value: object) -> bool:
    return isinstance(value, Mapping) and len(json.dumps(value).encode()) <= MAX_METADATA


def _message(item: Mapping[str, Any], arrived_at: float) -> StoredMessage:
    segmented = segment(item["text"], None)
    metadata = item.get("metadata", {})
    reference = metadata.get("reference")
    return StoredMessage(
        id=f"sms_{Ids(lambda: arrived_at)().lower()}",
        arrived_at=arrived_at,
        originator=item["from"],
        recipients=(int(item["to"]),),
        body=item["text"],
        datacoding=segmented.coding,
        parts=segmented.parts,
        reference=None if reference is None else str(reference),
        type=item["category"],
        metadata=metadata,
    )
