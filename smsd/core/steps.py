"""The steps that every decision about a message is made of."""

from typing import Any, Final

import attrs

from smsd.core.lifecycle import OPEN, State, advance
from smsd.core.message import MAX_HISTORY, Event, Message, What
from smsd.core.policy import Policy

#: Seconds without a verdict after which the provider is asked what became of a message, and asked again.
ASK_EVERY_S: Final = 3600.0


def move(
    message: Message, state: State, now: float, what: What, *, error: str = "", wait_s: float = 0.0, **learned: Any
) -> Message:
    """``message`` in ``state`` since ``now``, because of ``what``; one that has another turn has it in ``wait_s``.

    ``learned`` are fields that this tells as well. Raises NotAllowed.
    """
    event = Event(at=now, state=state, what=what, detail=error)
    moved: dict[str, Any] = {
        "state": advance(message.state, state),
        "changed_at": now,
        # Only what has another turn before it gets another time; the rest keeps the one that was asked for.
        "not_before": now + wait_s if state in OPEN else message.not_before,
        "is_held": False,
        "attend_at": now if state is State.DEAD else None,
        "asks_first": False,
        "portion": message.portion if state in OPEN else 0,
        "bundle": message.bundle if state is State.UNCERTAIN else "",
        "error": error,
        "history": (*message.history, event)[-MAX_HISTORY:],
    }
    return attrs.evolve(message, **(moved | learned))


def again(message: Message, now: float, policy: Policy, what: What, why: str, draw: float) -> Message:
    """``message``, which the provider surely does not have, in the queue for another attempt, or dead. See ``move``."""
    if is_out_of_tries(message, policy):
        return move(message, State.DEAD, now, What.OUT_OF_TRIES, error=why)
    wait_s = policy.backoff.delay_s(message.attempts, draw)
    return move(message, State.QUEUED, now, what, error=why, wait_s=wait_s, tried_since=None)


def sent(message: Message, provider_id: str, now: float, what: What, sent_at: float | None) -> Message:
    """``message``, which the provider has as ``provider_id`` since ``sent_at``. See ``move``."""
    ask_at = now + ASK_EVERY_S
    return move(message, State.SENT, now, what, provider_id=provider_id, sent_at=sent_at, attend_at=ask_at)


def put_to_question(message: Message, now: float, why: str) -> Message:
    """``message``, which was to be sent again and cannot be, for the provider to be asked. See ``move``."""
    return forsake(move(message, State.UNCERTAIN, now, What.UNANSWERED, error=why))


def forsake(message: Message) -> Message:
    """The message without what it could be sent again by: another attempt of it is another SMS to any provider."""
    return attrs.evolve(message, tried_since=None, bundle="", asks_first=False)


def is_out_of_tries(message: Message, policy: Policy) -> bool:
    """Whether ``message`` was tried as often as it may be."""
    return 0 < policy.attempts <= message.attempts
