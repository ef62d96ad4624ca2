"""Sends a test message as any client would, and says what it takes while it is written."""

import json
from collections.abc import Mapping
from typing import Any, Final

from smsd.api.posting import Posting
from smsd.core.alphabet import is_gsm
from smsd.core.segments import MAX_PARTS, fits, segment

#: Fields of the form, as ``POST /sms`` knows them.
FIELDS: Final = ("recipient", "originator", "message", "priority")
#: Characters that are named as the cause of an encoding.
NAMED: Final = 8


async def send(posting: Posting, form: Mapping[str, str], api_key: str) -> str:
    """Accept the SMS of ``form`` under the key named ``api_key``; answers its id. Raises what Posting.take raises."""
    body = {name: form[name] for name in FIELDS if form.get(name)}
    # Browsers write line ends as CR LF; a person means one character.
    body["message"] = body.get("message", "").replace("\r\n", "\n")
    answer = await posting.take(json.dumps(body).encode(), api_key, None)
    id: str = answer.body["id"]
    return id


def measured(text: str) -> dict[str, Any]:
    """What ``text`` takes on the air, for a person who is writing it."""
    text = text.replace("\r\n", "\n")
    cut = segment(text)
    strange = sorted({character for character in text if not is_gsm(character)})[:NAMED]
    return {
        "segments": cut.parts,
        "units": cut.units,
        "left": cut.parts * cut.per_part - cut.units,
        "datacoding": cut.coding.value,
        "because": " ".join(strange),
        "fits": fits(text),
        "most": MAX_PARTS,
    }
