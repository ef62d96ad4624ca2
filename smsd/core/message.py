"""One accepted SMS and everything that is known of it."""

import enum
from typing import Final

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.lifecycle import OPEN, State
from smsd.core.report import Delivery
from smsd.core.trace import Traceparent

#: MessageBird takes at most 50 recipients in a request.
MAX_RECIPIENTS: Final = 50


#: The latest events that a message remembers: one that is tried for days must not grow with every try.
MAX_HISTORY: Final = 50


class Priority(enum.IntEnum):
    """Whose turn comes first; the order of the numbers is the order of sending."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Category(enum.Enum):
    """What a message is for, where a provider wants to know; Bird's words."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    AUTHENTICATION = "authentication"
    SERVICE = "service"


class What(enum.Enum):
    """The vocabulary of everything that happens: to a message, or to the daemon."""

    ACCEPTED = "accepted"  #: it is kept, and was answered 200
    ATTEMPT = "attempt"  #: the provider is about to be called
    SENT = "sent"  #: the provider took it
    FOUND = "found"  #: the provider has it, as it turned out
    POSTPONED = "postponed"  #: not now, says the provider
    REFUSED = "refused"  #: never, says the provider
    PARTLY_REFUSED = "partly refused"  #: never to some of its recipients, says the provider: to the others once more
    PARTLY_SENT = "partly sent"  #: the provider took it for some of its recipients: it goes on to the others
    OUT_OF_TRIES = "out of tries"
    UNANSWERED = "unanswered"  #: the provider may have it
    INTERRUPTED = "interrupted"  #: the same, because its sender died
    REPEATED = "repeated"  #: it may be sent again: the provider would know it for the same
    NOT_FOUND = "not found"  #: the provider does not have it: once more
    UNTOLD = "cannot be told"  #: the provider cannot tell whether it has it: once more
    HELD_BACK = "held back"  #: the provider takes nothing from us; the message is not at fault
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REPLAYED = "replayed"
    MOVED = "moved"  #: another spool has it
    DROPPED = "dropped"  #: refused at the door, there was no room
    HELD = "held"  #: a gateway is held: the provider takes nothing from us
    RELEASED = "released"  #: it does again
    RECEIVED = "received"  #: an incoming message
    STALE = "stale"  #: messages are held after an outage, for an operator's word
    CALLBACK_FAILED = "callback failed"  #: a receiver does not have what it is owed; it is tried again for a day
    FAULT = "fault"  #: something of ours did not work; it is tried again

    __hash__ = object.__hash__  # a member is the only one of its value; enum's own hash is a function in Python


@attrs.frozen(kw_only=True)
class Event:
    """One line of a message's history."""

    at: float  #: UTC epoch seconds
    state: State  #: the state it led to
    what: What
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
    category: Category | None = None  #: None: as the settings say
    batch: str = ""  #: the id of the whole that it is a part of; empty when it is the whole
    reference: str = ""  #: the client's own word for it
    valid_until: float | None = None  #: UTC epoch seconds; stale after this
    callback_url: str = ""  #: where its changes of state are posted; empty: nowhere
    trace: Traceparent | None = None  #: the trace that it was accepted in, if its client named one
    state: State = State.QUEUED
    changed_at: float = 0.0  #: UTC epoch seconds; since when it is in this state
    gateway: str = ""  #: the name of the gateway that the last attempt went to
    attempts: int = 0  #: how often the provider was asked to take it
    attempted_at: float | None = None  #: UTC epoch seconds; when the last attempt began
    #: UTC epoch seconds; when the first of those attempts began that may all have been the same one: where a provider
    #: knows a repeat, they are. None once the provider surely does not have it, or is asked.
    tried_since: float | None = None
    #: The name of the request in which its last attempt went with others (see core.bundle); empty: it went alone. While
    #: it is queued: of its half of one that was refused without a word of whom it was for; it goes with no others.
    bundle: str = ""
    #: How many of the recipients that remain the next request is for, since one for more was refused; 0: all of them.
    portion: int = 0
    #: Whether the provider is asked for it before it is sent again: it answered with a fault of its own.
    asks_first: bool = False
    sent_at: float | None = None  #: UTC epoch seconds; when the provider said that it took it
    provider_id: str = ""  #: theirs
    deliveries: tuple[Delivery, ...] = ()  #: what status reports told, one a recipient, by number
    attend_at: float | None = None  #: UTC epoch seconds; when it is asked for (sent) or archived (dead), None: never
    is_held: bool = False  #: whether it waits for an operator's word, and not for its turn
    error: str = ""  #: why it is not sent, in the provider's words
    history: tuple[Event, ...] = ()  #: oldest first, at most MAX_HISTORY

    @property
    def is_repeat(self) -> bool:
        """Whether it waits to be sent again to the gateway that may have it: to no other, and as it was."""
        return self.state is State.QUEUED and self.tried_since is not None

    @property
    def line(self) -> tuple[Priority, str]:
        """The line in which it waits, see core.turns."""
        return self.priority, self.api_key

    @property
    def may_have_company(self) -> bool:
        """Whether its next attempt may go together with others."""
        return self.state is State.QUEUED and not self.is_repeat and not self.portion

    @property
    def is_in_portions(self) -> bool:
        """Whether the provider may have it for some of its recipients while others still wait."""
        return self.is_open() and (self.portion > 0 or self.sent_at is not None)

    @property
    def in_line_since(self) -> float:
        """When its turn could first come, of a message in line (UTC epoch seconds)."""
        return max(self.changed_at, self.not_before)

    @property
    def remaining(self) -> tuple[Msisdn, ...]:
        """Its recipients but for those that the provider took or refused before the others."""
        if not self.deliveries:
            return self.recipients
        known = {each.recipient for each in self.deliveries}
        return tuple(each for each in self.recipients if each not in known)

    @property
    def going(self) -> tuple[Msisdn, ...]:
        """Whom its request is for: the next one, or the one that is under way or in doubt."""
        return self.remaining[: self.portion] if self.portion else self.remaining

    def is_open(self) -> bool:
        """Whether the daemon still owes it something."""
        return self.state in OPEN

    def is_stale(self, now: float) -> bool:
        """Whether its validity has ended by ``now`` (UTC epoch seconds)."""
        return self.valid_until is not None and now >= self.valid_until
