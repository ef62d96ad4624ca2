"""Answers Bird's ``GET /v1/sms/messages``: filters and pages by cursor, newest first."""

from collections.abc import Mapping
from typing import Any, Final

from smsd.sandbox.bird_messages import shown
from smsd.sandbox.bird_problems import BirdRefusal, Detail
from smsd.sandbox.store import MessageStore, StoredMessage
from smsd.sandbox.validation import read_moment

#: Messages on a page when the client names no number, and at most.
DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100


def page(store: MessageStore, given: Mapping[str, str]) -> dict[str, Any]:
    """The page of what ``store`` has that the query's parameters ask for; unknown ones do nothing. Raises BirdRefusal.

    There is no filter by metadata.
    """
    try:
        limit = min(int(given.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)
        found = [each for each in store.newest_first(_number(given)) if _is_wanted(each, given)]
    except ValueError:
        raise BirdRefusal(422, Detail(".", "a parameter of the query cannot be read")) from None
    after = given.get("starting_after")
    start = next((place + 1 for place, each in enumerate(found) if each.id == after), 0)
    items = found[start : start + limit]
    is_last = start + limit >= len(found)
    return {
        "data": [shown(message) for message in items],
        "next_cursor": None if is_last or not items else items[-1].id,
        "prev_cursor": None,
        "refresh_cursor": items[0].id if items else None,
    }


def _number(given: Mapping[str, str]) -> int | None:
    return int(given["to"].strip().removeprefix("+")) if "to" in given else None


def _is_wanted(message: StoredMessage, given: Mapping[str, str]) -> bool:
    after, before = (given.get(name) for name in ("created_after", "created_before"))
    return (
        message.is_successors
        and given.get("direction", "outbound") == "outbound"
        and (after is None or message.arrived_at >= read_moment(after))
        and (before is None or message.arrived_at <= read_moment(before))
    )
