"""Remembers the messages that the sandbox has taken, up to a number of them."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from smsd.core.alphabet import DataCoding

#: Messages remembered before the oldest is forgotten: a minute and a half at MessageBird's 500 a second.
CAPACITY: Final = 50_000


@attrs.frozen(kw_only=True)
class StoredMessage:
    """A message that the sandbox has taken."""

    id: str  #: 32 hexadecimal digits; over Bird's API ``sms_`` and a ULID
    arrived_at: float  #: UTC epoch seconds, with fraction
    originator: str
    recipients: tuple[int, ...]  #: 1 to 50 numbers in international form
    body: str  #: the text as a phone would show it
    datacoding: DataCoding
    parts: int  #: 1 to 9
    reference: str | None = None  #: the client's own word for it
    type: str = "sms"  #: ``sms`` or ``flash``; over Bird's API its category
    mclass: int = 1  #: message class, 0 to 3; 0 is flash
    validity: int | None = None  #: seconds
    gateway: int = 10  #: a route's number, meaningless here
    type_details: Mapping[str, Any] = attrs.field(factory=dict)
    scheduled_at: float | None = None  #: UTC epoch seconds
    metadata: Mapping[str, Any] = attrs.field(factory=dict)  #: the client's own notes, where the API has any

    @property
    def is_successors(self) -> bool:
        """Whether it came over Bird's API: neither lists what came over the other."""
        return self.id.startswith("sms_")

    def status(self, now: float) -> str:
        """Say whether it is ``scheduled`` or ``sent`` at ``now`` (UTC epoch seconds)."""
        return "scheduled" if self.scheduled_at is not None and self.scheduled_at > now else "sent"

    def __str__(self) -> str:
        """Give one line for a person at a terminal, free of control characters."""
        to = ", ".join(map(str, self.recipients))
        parts = "1 part" if self.parts == 1 else f"{self.parts} parts"
        text = _one_line(self.body)
        return f"SMS to {to} from {self.originator}: {text} ({parts}, {self.datacoding.value})"


def _one_line(text: str) -> str:
    """Escape what would move the cursor or colour the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class MessageStore:
    """Messages in order of arrival, at most ``capacity`` of them, found by id or recipient."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._messages: OrderedDict[str, StoredMessage] = OrderedDict()
        self._by_recipient: dict[int, OrderedDict[str, StoredMessage]] = {}

    def add(self, message: StoredMessage) -> None:
        """Remember a message, and forget the oldest when there are too many."""
        self._messages[message.id] = message
        for number in message.recipients:
            self._by_recipient.setdefault(number, OrderedDict())[message.id] = message
        while len(self._messages) > self._capacity:
            self.remove(next(iter(self._messages)))

    def get(self, id: str) -> StoredMessage | None:
        """Find a message by its id."""
        return self._messages.get(id)

    def remove(self, id: str) -> StoredMessage | None:
        """Forget a message, and give it if it was there."""
        message = self._messages.pop(id, None)
        for number in set(message.recipients) if message else ():
            of_number = self._by_recipient[number]
            del of_number[id]
            if not of_number:
                del self._by_recipient[number]
        return message

    def clear(self) -> None:
        """Forget all messages."""
        self._messages.clear()
        self._by_recipient.clear()

    def oldest_first(self) -> Iterator[StoredMessage]:
        """Give all messages in order of arrival."""
        return iter(self._messages.values())

    def newest_first(self, recipient: int | None = None) -> Iterator[StoredMessage]:
        """Give all messages, or those to one number, last arrived first."""
        if recipient is None:
            return reversed(self._messages.values())
        return reversed(self._by_recipient.get(recipient, OrderedDict()).values())
