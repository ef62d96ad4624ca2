"""Decides what becomes of a message, given what the provider said."""

import enum
from typing import Final, assert_never

import attrs

from smsd.core.lifecycle import State, advance
from smsd.core.message import Event, Message
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    LookupFailed,
    LookupResult,
    NotFound,
    Outcome,
    Postponed,
    Refused,
    Unanswered,
)
from smsd.core.retry import Backoff

#: Seconds after which a lookup that keeps failing is called "cannot be told".
LOOKUP_PATIENCE_S: Final = 3600.0
#: Seconds, the longest pause between two lookups of one message.
LOOKUP_PAUSE_CAP_S: Final = 60.0


class Doubt(enum.Enum):
    """What to do with a message when the provider cannot tell whether it has it."""

    RESEND = "resend"  #: send it again: late rather than lost
    HOLD = "hold"  #: keep it for a person: lost rather than twice


@attrs.frozen(kw_only=True)
class Policy:
    """How patient the daemon is."""

    backoff: Backoff
    attempts: int = 0  #: tries before a message is dead; 0: until success or validity
    grace_s: float = 10.0  #: seconds before "not found" is believed
    doubt: Doubt = Doubt.RESEND


def begin(message: Message, now: float) -> Message:
    """The message as it must be on disk before the provider is called at ``now``."""
    return attrs.evolve(
        message,
        state=advance(message.state, State.SENDING),
        changed_at=now,
        attempts=message.attempts + 1,
        attempted_at=now,
    )


def expire(message: Message, now: float) -> Message:
    """The message once its validity has ended."""
    return _move(message, State.EXPIRED, now, "expired", error="its validity ended while it waited")


def cancel(message: Message, now: float) -> Message:
    """The message once it was called back. Raises NotAllowed when it no longer waits."""
    return _move(message, State.CANCELED, now, "canceled")


def revive(message: Message, now: float) -> Message:
    """A dead message put back into the queue with a fresh set of tries. Raises NotAllowed when it is not dead."""
    return attrs.evolve(_move(message, State.QUEUED, now, "replayed"), attempts=0, valid_until=None)


def settle(message: Message, outcome: Outcome, now: float, policy: Policy, draw: float) -> Message:
    """The message after an attempt came to ``outcome`` at ``now``; ``draw`` is uniform in [0, 1)."""
    match outcome:
        case Accepted(provider_id=provider_id):
            return _sent(message, provider_id, now, "accepted")
        case Refused(reason=reason):
            return _move(message, State.DEAD, now, "refused", error=reason)
        case Unanswered(reason=reason):
            return _move(message, State.UNCERTAIN, now, "unanswered", error=reason)
        case Postponed(reason=reason, retry_after_s=retry_after_s):
            if _out_of_tries(message, policy):
                return _move(message, State.DEAD, now, "out of tries", error=reason)
            wait_s = max(policy.backoff.delay_s(message.attempts, draw), retry_after_s or 0.0)
            return _move(message, State.QUEUED, now, "postponed", error=reason, wait_s=wait_s)
        case HeldOff(reason=reason):
            # The fault is ours, not the message's: this try does not count against it.
            held = _move(message, State.QUEUED, now, "held", error=reason)
            return attrs.evolve(held, attempts=message.attempts - 1)
    assert_never(outcome)


def abandon(message: Message, now: float) -> Message:
    """The message when whoever was sending it is gone: it may have been taken."""
    return _move(message, State.UNCERTAIN, now, "interrupted", error="the daemon stopped while it was being sent")


def clear_up(message: Message, result: LookupResult, now: float, policy: Policy) -> Message:
    """An uncertain message after the provider was asked for it at ``now``."""
    match result:
        case Found(provider_id=provider_id):
            return _sent(message, provider_id, now, "found")
        case NotFound():
            # It may still be on its way: "not found" is believed only after the grace time.
            believed_at = message.changed_at + policy.grace_s
            if now < believed_at:
                return attrs.evolve(message, not_before=believed_at)
            return _again(message, now, policy, "not found")
        case LookupFailed(reason=reason):
            doubted_s = now - message.changed_at
            if doubted_s >= LOOKUP_PATIENCE_S and policy.doubt is Doubt.RESEND:
                return _again(message, now, policy, f"cannot be told: {reason}")
            pause_s = min(LOOKUP_PAUSE_CAP_S, max(1.0, doubted_s))
            return attrs.evolve(message, not_before=now + pause_s, error=reason)
    assert_never(result)


def _again(message: Message, now: float, policy: Policy, why: str) -> Message:
    if _out_of_tries(message, policy):
        return _move(message, State.DEAD, now, "out of tries", error=why)
    return _move(message, State.QUEUED, now, why, error=message.error)


def _out_of_tries(message: Message, policy: Policy) -> bool:
    return 0 < policy.attempts <= message.attempts


def _sent(message: Message, provider_id: str, now: float, what: str) -> Message:
    sent = _move(message, State.SENT, now, what)
    return attrs.evolve(sent, provider_id=provider_id, sent_at=message.attempted_at)


def _move(message: Message, state: State, now: float, what: str, *, error: str = "", wait_s: float = 0.0) -> Message:
    event = Event(at=now, state=state, what=what, detail=error)
    return attrs.evolve(
        message,
        state=advance(message.state, state),
        changed_at=now,
        not_before=now + wait_s,
        error=error,
        history=(*message.history, event),
    )
