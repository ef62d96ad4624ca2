"""Answers ``GET /messages``: filters and pages, newest first."""

from collections.abc import Mapping
from math import floor
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from smsd.sandbox.answers import message_object
from smsd.sandbox.problems import invalid
from smsd.sandbox.store import MessageStore, StoredMessage
from smsd.sandbox.validation import read_moment

DEFAULT_LIMIT: Final = 20  # MessageBird, pagination
_STATUSES: Final = ("scheduled", "sent", "buffered", "delivered", "expired", "delivery_failed")


@attrs.frozen(kw_only=True)
class Listing:
    """The query of a ``GET /messages``. There is no filter by reference, as with the real one."""

    given: Mapping[str, str]  #: the query's parameters, in the order given; unknown ones do nothing
    limit: int
    offset: int
    recipient: int | None
    since: float | None  #: UTC epoch seconds, inclusive
    until: float | None  #: UTC epoch seconds, inclusive

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Listing":
        """Read a query's parameters. Raises Refusal (422)."""
        if given.get("status", "sent") not in _STATUSES:
            raise invalid("status")
        return cls(
            given=given,
            limit=_number(given, "limit", least=1) or DEFAULT_LIMIT,
            offset=_number(given, "offset", least=0) or 0,
            recipient=_number(given, "recipient", least=1),
            since=_moment(given, "from"),
            until=_moment(given, "until"),
        )

    def page(self, store: MessageStore, base_url: str, now: float) -> dict[str, Any]:
        """Make the answer, as of ``now`` (UTC epoch seconds)."""
        found = [m for m in store.newest_first(self.recipient) if self._wants(m, now)]
        items = found[self.offset : self.offset + self.limit]
        return {
            "offset": self.offset,
            "limit": self.limit,
            "count": len(items),
            "totalCount": len(found),
            "links": self._links(len(found), base_url),
            "items": [message_object(message, base_url, now) for message in items],
        }

    def _wants(self, message: StoredMessage, now: float) -> bool:
        created = floor(message.arrived_at)  # createdDatetime has no fraction
        return (
            not message.is_successors
            and (self.since is None or created >= self.since)
            and (self.until is None or created <= self.until)
            and self.given.get("direction", "mt") == "mt"
            and self.given.get("originator", message.originator) == message.originator
            and self.given.get("type", message.type) == message.type
            and self.given.get("status", message.status(now)) == message.status(now)
            and self.given.get("searchterm", "") in message.body
        )

    def _links(self, total: int, base_url: str) -> dict[str, str | None]:
        if not total:
            return {"first": None, "previous": None, "next": None, "last": None}
        following = self.offset + self.limit
        return {
            "first": self._link(0, base_url),
            "previous": self._link(max(0, self.offset - self.limit), base_url) if self.offset else None,
            "next": self._link(following, base_url) if following < total else None,
            "last": self._link((total - 1) // self.limit * self.limit, base_url),
        }

    def _link(self, offset: int, base_url: str) -> str:
        others = {k: v for k, v in self.given.items() if k not in ("offset", "access_key")}
        return f"{base_url}/messages/?{urlencode({'offset': str(offset), **others})}"


def _number(given: Mapping[str, str], name: str, *, least: int) -> int | None:
    if name not in given:
        return None
    text = given[name].strip().removeprefix("+")
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise invalid(name)
    return int(text)


def _moment(given: Mapping[str, str], name: str) -> float | None:
    try:
        return read_moment(given[name]) if name in given else None
    except ValueError:
        raise invalid(name) from None
