"""Sends a test message as any client would, and says what it takes while it is written."""

import json
from collections.abc import Mapping
from typing import Any, Final

from smsd.api.dashboard.search import APART
from smsd.api.posting import Posting
from smsd.api.validation import InvalidBody
from smsd.core.alphabet import is_gsm
from smsd.core.segments import MAX_PARTS, fits, segment

#: Fields of the form, as ``POST /sms`` knows them.
FIELDS: Final = ("recipient", "originator", "message", "priority")
#: What the API says too shortly.
_WORDS: Final = {"recipient": "Must be a number with its country code and no 0 before it, such as +31 6 33450007"}
#: Characters that are named as the cause of an encoding.
NAMED: Final = 8


async def send(posting: Posting, form: Mapping[str, str], api_key: str) -> str:
    """Accept the SMS of ``form`` under the key named ``api_key``; answers its id. Raises what Posting.take raises."""
    body = {name: form[name] for name in FIELDS if form.get(name)}
    if "recipient" in body:
        body["recipient"] = APART.sub("", body["recipient"])
    # Browsers write line ends as CR LF; a person means one character.
    body["message"] = body.get("message", "").replace("\r\n", "\n")
    answer = await posting.take(json.dumps(body).encode(), api_key, None)
    id: str = answer.body["id"]
    return id


def told(invalid: InvalidBody) -> dict[str, str]:
    """By the field of the form, what is wrong with it, in words for a person; by an empty name, with all of it."""
    found = ((problem.pointer.strip("/"), problem.message) for problem in invalid.problems)
    # They see the field and what they wrote.
    return {name: _WORDS.get(name, message.rpartition(" is invalid: ")[2].strip("'")) for name, message in found}


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
