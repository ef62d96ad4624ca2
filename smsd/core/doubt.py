"""Decides what becomes of a message of which nobody knows whether the provider has it."""

from typing import Final, assert_never

import attrs

from smsd.core.errors import NotAllowed
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.outcome import Found, LookupFailed, LookupResult, NotFound
from smsd.core.policy import Doubt, Policy
from smsd.core.steps import again, is_out_of_tries, move, put_to_question, sent

#: Seconds after which a lookup that keeps failing is called "cannot be told".
LOOKUP_PATIENCE_S: Final = 3600.0
#: Seconds, the longest pause between two lookups of one message.
LOOKUP_PAUSE_CAP_S: Final = 60.0


def doubt(message: Message, now: float) -> Message:
    """A repeat that cannot be sent: its gateway is asked for it instead. Raises NotAllowed when it is no repeat."""
    if not message.is_repeat:
        raise NotAllowed(state=message.state.value, wanted=State.UNCERTAIN.value)
    return put_to_question(message, now, message.error)


def is_repeatable(message: Message, now: float, policy: Policy, window_s: float) -> bool:
    """Whether an uncertain message may go again at ``now``: the provider would know it for the one it may have.

    It does so for ``window_s`` seconds from the first attempt (0: it never does).
    """
    if message.tried_since is None or message.is_stale(now) or is_out_of_tries(message, policy):
        return False
    # A clock that was set back tells nothing of how old the first attempt is.
    return message.tried_since <= now < message.tried_since + window_s


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
    stays: bool = False,
) -> Message:
    """An uncertain message at ``now``, after the provider was asked for it.

    ``doubted_s`` is for how long it had been uncertain when the question was put, by a clock that cannot be set
    (seconds); ``draw`` is uniform in [0, 1). With ``stays`` no other provider gets it unless this one surely has not.
    """
    match result:
        case Found(provider_id=provider_id):
            return sent(message, provider_id, now, What.FOUND, sent_at=message.attempted_at)
        case NotFound():
            # It may still have been on its way: "not found" is believed only after the grace time.
            if doubted_s < policy.grace_s:
                return attrs.evolve(message, not_before=now + policy.grace_s - doubted_s)
            return again(message, now, policy, What.NOT_FOUND, message.error, draw)
        case LookupFailed(reason=reason):
            if doubted_s >= LOOKUP_PATIENCE_S and policy.doubt is Doubt.RESEND:
                untold = again(message, now, policy, What.UNTOLD, reason, draw)
                return attrs.evolve(untold, tried_since=message.attempted_at) if stays else untold
            pause_s = min(LOOKUP_PAUSE_CAP_S, max(1.0, doubted_s))
            return attrs.evolve(message, not_before=now + pause_s, error=reason)
    assert_never(result)
