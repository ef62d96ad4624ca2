"""What is told to people and their tools when something happens."""

import enum

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Message


class Kind(enum.Enum):
    """The vocabulary of everything that happens."""

    ACCEPTED = "accepted"
    ATTEMPT = "attempt"
    SENT = "sent"
    POSTPONED = "postponed"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REPLAYED = "replayed"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    DROPPED = "dropped"  #: refused at the door, the spool was full
    HELD = "held"  #: the provider takes nothing from us
    RELEASED = "released"  #: it does again
    FAULT = "fault"  #: something of ours did not work; it is tried again


@attrs.frozen(kw_only=True)
class Notice:
    """One thing that happened."""

    kind: Kind
    at: float  #: UTC epoch seconds
    message: Message | None = None  #: as it is afterwards
    detail: str = ""  #: why, in words fit for a log: no number, no text, no key


_BY_STATE = {
    State.QUEUED: Kind.POSTPONED,
    State.SENDING: Kind.ATTEMPT,
    State.SENT: Kind.SENT,
    State.UNCERTAIN: Kind.UNCERTAIN,
    State.DEAD: Kind.DEAD,
    State.EXPIRED: Kind.EXPIRED,
    State.CANCELED: Kind.CANCELED,
    State.DELIVERED: Kind.DELIVERED,
    State.UNDELIVERED: Kind.UNDELIVERED,
}


def of(message: Message) -> Notice:
    """The notice that a message has just come into its state."""
    return Notice(kind=_BY_STATE[message.state], at=message.changed_at, message=message, detail=message.error)
