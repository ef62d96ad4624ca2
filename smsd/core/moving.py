"""Decides how a message leaves one spool for another, so that only one of them ever sends it."""

from typing import Final

import attrs

from smsd.core.errors import NotAllowed
from smsd.core.lifecycle import State
from smsd.core.message import Event, Message, What

#: In these states a message has a turn, so a spool that it has left must not give it one.
WAITING: Final = frozenset({State.QUEUED, State.UNCERTAIN})
#: What the last event of a message that has left says, of one that was held before too; the spool's name follows.
_LEFT: Final = "to "
_LEFT_HELD: Final = "held, to "


def leave(message: Message, to: str, now: float) -> Message:
    """``message`` as it stays behind at ``now`` (UTC epoch seconds): held, with a note that it went ``to`` a spool.

    What has no turn stays as it is, and so does what has left. Raises NotAllowed while it is being sent.
    """
    if message.state is State.SENDING:
        raise NotAllowed(state=message.state.value, wanted="moved")
    if message.state not in WAITING or has_left(message):
        return message
    detail = (_LEFT_HELD if message.is_held else _LEFT) + to
    event = Event(at=now, state=message.state, what=What.MOVED, detail=detail)
    return attrs.evolve(message, is_held=True, history=(*message.history, event))


def arrived(message: Message) -> Message:
    """``message``, as it stayed behind, the way it was before."""
    if not has_left(message):
        return message
    *history, note = message.history
    return attrs.evolve(message, is_held=note.detail.startswith(_LEFT_HELD), history=tuple(history))


def has_left(message: Message) -> bool:
    """Whether another spool has ``message``, or is to have it."""
    return message.is_held and bool(message.history) and message.history[-1].what is What.MOVED
