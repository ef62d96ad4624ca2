"""What is told to people and their tools when something happens."""

import enum
from collections.abc import Callable, Sequence

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Message, What


@attrs.frozen(kw_only=True)
class Notice:
    """One thing that happened."""

    what: What
    at: float  #: UTC epoch seconds
    message: Message | None = None  #: as it is afterwards
    detail: str = ""  #: why, in words fit for a log: no number, no text, no key
    count: int = 1  #: how many messages it is about: of what was accepted together, ``message`` is the first
    gateway: str = ""  #: the name of the gateway that it is about, when it is about one and no message


class Took(enum.Enum):
    """What is timed beside what notices tell."""

    ACCEPT = "accept"  #: from a request to its answer
    COMMIT = "commit"  #: one commit of the spool
    THROTTLE = "throttle"  #: what a send waited for its permit
    REACTOR = "reactor"  #: how late the reactor called
    SNAPSHOT = "snapshot"  #: from the beginning of a snapshot until it is kept

    __hash__ = object.__hash__  # a member is the only one of its value; enum's own hash is a function in Python


#: Takes what was timed, and the seconds that each took; never raises, never waits.
Measure = Callable[[Took, Sequence[float]], None]


def unmeasured(took: Took, seconds: Sequence[float]) -> None:
    """Nobody wants to know."""


def of(message: Message) -> Notice:
    """The notice of the last thing that happened to ``message``."""
    if message.state is State.SENDING or not message.history:
        what = What.ATTEMPT if message.state is State.SENDING else What.ACCEPTED
        return Notice(what=what, at=message.changed_at, message=message)
    last = message.history[-1]
    return Notice(what=last.what, at=last.at, message=message, detail=last.detail)
