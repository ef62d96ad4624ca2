"""Makes messages for tests."""

from itertools import count
from typing import Any

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.message import Message

#: A limit that no test reaches by accident.
ROOM = 1_000_000


def message(id: str = "01TEST", **changed: Any) -> Message:
    """A message that was accepted at 0 and is due."""
    fields: dict[str, Any] = {
        "id": id,
        "recipients": (Msisdn("31633450007"),),
        "originator": Originator("MB"),
        "body": "This is a test message.",
        "coding": DataCoding.PLAIN,
        "segments": 1,
        "api_key": "demo",
        "accepted_at": 0.0,
        "not_before": 0.0,
    }
    return Message(**(fields | changed))


#: UTC epoch seconds at which the messages of ``sms`` are accepted.
NOW = 1_700_000_000.0
_NUMBERS = count(1)


def sms(**changed: Any) -> Message:
    """A message with an id of its own, accepted at NOW and due at once."""
    given = {"id": f"{next(_NUMBERS):026}", "accepted_at": NOW, "changed_at": NOW, "not_before": NOW}
    return message(**(given | changed))
