"""Says which states a message may be in and which may follow which."""

import enum
from typing import Final

from smsd.core.errors import NotAllowed


class State(enum.Enum):
    """Where a message stands; the values are what the API shows."""

    QUEUED = "queued"  #: kept, and waits for its turn
    SENDING = "sending"  #: an attempt is written, the provider is being called
    SENT = "sent"  #: the provider has it
    UNCERTAIN = "uncertain"  #: the provider may have it; it is being asked
    DELIVERED = "delivered"  #: the handset has it, says a status report
    UNDELIVERED = "undelivered"  #: the handset will not get it, says a status report
    DEAD = "dead"  #: refused, or out of tries: kept for a person
    EXPIRED = "expired"  #: its validity ended while it waited
    CANCELED = "canceled"  #: called back while it waited

    __hash__ = object.__hash__  # a member is the only one of its value; enum's own hash is a function in Python


#: The whole life of a message. What is not listed is not allowed.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    # To sent without sending: a status report shows that the provider has it after all.
    # To uncertain without sending: it was to be repeated where it may be already, and that cannot be done any more.
    State.QUEUED: frozenset({State.SENDING, State.SENT, State.UNCERTAIN, State.EXPIRED, State.CANCELED}),
    State.SENDING: frozenset({State.SENT, State.QUEUED, State.DEAD, State.UNCERTAIN}),
    # To sending without the queue: what went in one request goes again in the same one, and cannot wait for turns.
    State.UNCERTAIN: frozenset({State.SENT, State.QUEUED, State.SENDING, State.DEAD}),
    State.SENT: frozenset({State.DELIVERED, State.UNDELIVERED}),
    State.DEAD: frozenset({State.QUEUED}),
    State.DELIVERED: frozenset(),
    State.UNDELIVERED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELED: frozenset(),
}

#: States in which the daemon still owes the message something.
OPEN: Final = frozenset({State.QUEUED, State.SENDING, State.UNCERTAIN})


def advance(now: State, then: State) -> State:
    """``then``, if a message in state ``now`` may go there. Raises NotAllowed if it may not."""
    if then not in TRANSITIONS[now]:
        raise NotAllowed(state=now.value, wanted=then.value)
    return then


def diagram() -> str:
    """The table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", "    [*] --> queued"]
    for state, following in TRANSITIONS.items():
        lines += [f"    {state.value} --> {then.value}" for then in State if then in following]
        if not following:
            lines.append(f"    {state.value} --> [*]")
    return "\n".join(lines) + "\n"
