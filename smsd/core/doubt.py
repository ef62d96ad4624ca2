"""Decides what becomes of a message of which nobody knows whether the provider has it."""

from typing import Final, assert_never

import attrs

from smsd.core.errors import NotAllowed
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.outcome import Found, LookupFailed, LookupResult, NotFound
from smsd.core.policy import Doubt, Policy
from smsd.core.portions import taken
from smsd.core.steps import again, is_out_of_tries, move, put_to_question

#: Seconds after which a lookup that keeps failing is called "cannot be told".
LOOKUP_PATIENCE_S: Final = 3600.0
#: Seconds, the longest pause between two lookups of one message.
LOOKUP_PAUSE_CAP_S: Final = 60.0
#: Seconds for which a repeat may wait for its turn on the strength of what the provider was asked before.
ASKED_S: Final = 600.0


def doubt(message: Message, now: float) -> Message:
    """A repeat that cannot be sent: its gateway is asked for it instead. Raises NotAllowed when it is no repeat."""
    if not message.is_repeat:
        raise NotAllowed(state=message.state.value, wanted=State.UNCERTAIN.value)
    return put_to_question(message, now, message.error)


def is_repeatable(message: Message, now: float, policy: Policy, window_s: float) -> bool:
    """Whether an uncertain message may go again at ``now``: the provider would know it for the one it may have.

    It does so for ``window_s`` seconds from the first attempt (0: it never does).
    """
    return not message.is_stale(now) and not is_out_of_tries(message, policy) and is_within(message, now, window_s)


def is_within(message: Message, now: float, window_s: float) -> bool:
    """Whether at ``now`` the first attempt that a repeat would repeat is less than ``window_s`` seconds ago."""
    # A clock that was set back tells nothing of how old it is.
    return message.tried_since is not None and message.tried_since <= now < message.tried_since + window_s


def is_fresh(message: Message, now: float, trusted_s: float) -> bool:
    """Whether a repeat that has waited for its turn may go at ``now`` without another look at what is known of it."""
    return is_within(message, now, trusted_s) or 0.0 <= now - message.in_line_since < ASKED_S


def reconsider(message: Message, now: float) -> Message:
    """A repeat that is not fresh any more, for another look. Raises NotAllowed when it does not wait."""
    return move(message, State.UNCERTAIN, now, What.UNANSWERED, error=message.error)


def repeat(message: Message, now: float, policy: Policy, draw: float) -> Message:
    """An uncertain message, put back into the queue to be sent as it was; ``draw`` is uniform in [0, 1)."""
    wait_s = policy.backoff.delay_s(message.attempts, draw)
    return move(message, State.QUEUED, now, What.REPEATED, error=message.error, wait_s=wait_s)


def clear_up(
    message: Message,
    result: LookupResult,
    now: float,
    policy: Policy,
    *,
    doubted_s: float,
    draw: float,
    is_same: bool = False,
    stays: bool = False,
) -> Message:
    """An uncertain message at ``now``, after the provider was asked for it.

    ``doubted_s`` is for how long it had been uncertain when the question was put, by a clock that cannot be set
    (seconds); ``draw`` is uniform in [0, 1). If it goes again it ``is_same``: the provider may still know a
    repeat for it. With ``stays`` no other provider gets it unless this one surely has not.
    """
    match result:
        case Found(provider_id=provider_id):
            return taken(message, provider_id, now, What.FOUND, sent_at=message.attempted_at)
        case NotFound():
            # It may still have been on its way: "not found" is believed only after the grace time.
            if doubted_s < policy.grace_s:
                return attrs.evolve(message, not_before=now + policy.grace_s - doubted_s)
            missing = again(message, now, policy, What.NOT_FOUND, message.error, draw)
            return attrs.evolve(missing, tried_since=message.tried_since) if is_same else missing
        case LookupFailed(reason=reason):
            if doubted_s >= LOOKUP_PATIENCE_S and policy.doubt is Doubt.RESEND:
                untold = again(message, now, policy, What.UNTOLD, reason, draw)
                since = message.tried_since if is_same else message.attempted_at
                return attrs.evolve(untold, tried_since=since) if is_same or stays else untold
            pause_s = min(LOOKUP_PAUSE_CAP_S, max(1.0, doubted_s))
            return attrs.evolve(message, not_before=now + pause_s, error=reason)
    assert_never(result)
