"""One accepted SMS and everything that is known of it."""

import enum
from typing import Final

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.lifecycle import OPEN, State

#: MessageBird takes at most 50 recipients in a request.
MAX_RECIPIENTS: Final = 50


class Priority(enum.IntEnum):
    """Whose turn comes first; the order of the numbers is the order of sending."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


@attrs.frozen(kw_only=True)
class Event:
    """One line of a message's history."""

    at: float  #: UTC epoch seconds
    state: State  #: the state it led to
    what: str  #: a short word: accepted, refused, postponed, unanswered, found, …
    detail: str = ""  #: the provider's own words, or why


@attrs.frozen(kw_only=True)
class Message:
    """An accepted SMS: what was asked for, and what has become of it."""

    id: str  #: 26 characters, ULID; also the provider's ``reference``
    recipients: tuple[Msisdn, ...]  #: 1 to 50, each at most once
    originator: Originator
    body: str  #: the text
    coding: DataCoding  #: as computed here, never left to the provider's default
    segments: int  #: parts a recipient gets, 1 to 9
    api_key: str  #: the name of the key it came under
    accepted_at: float  #: UTC epoch seconds
    not_before: float  #: UTC epoch seconds; its next turn is not before this
    priority: Priority = Priority.NORMAL
    reference: str = ""  #: the client's own word for it
    valid_until: float | None = None  #: UTC epoch seconds; stale after this
    state: State = State.QUEUED
    changed_at: float = 0.0  #: UTC epoch seconds; since when it is in this state
    attempts: int = 0  #: how often the provider was asked to take it
    attempted_at: float | None = None  #: UTC epoch seconds; when the last attempt began
    sent_at: float | None = None  #: UTC epoch seconds; when the provider took it
    provider_id: str = ""  #: theirs
    error: str = ""  #: why it is not sent, in the provider's words
    history: tuple[Event, ...] = ()  #: oldest first

    def is_open(self) -> bool:
        """Whether the daemon still owes it something."""
        return self.state in OPEN

    def is_stale(self, now: float) -> bool:
        """Whether its validity has ended by ``now`` (UTC epoch seconds)."""
        return self.valid_until is not None and now >= self.valid_until
