"""Decides what becomes of a message, given what the provider said."""

from typing import Final, assert_never

import attrs

from smsd.core import report as reports
from smsd.core.bundle import half_name
from smsd.core.errors import NotAllowed, StillSending
from smsd.core.lifecycle import State, advance
from smsd.core.message import Message, What
from smsd.core.outcome import (
    Accepted,
    HeldOff,
    LookupFailed,
    Outcome,
    PartlyRefused,
    Postponed,
    Refused,
    Spared,
    Throttled,
    Unanswered,
)
from smsd.core.policy import Policy
from smsd.core.portions import concluded, halve, taken, without
from smsd.core.report import DeliveryStatus, Report
from smsd.core.steps import ASK_EVERY_S, again, forsake, move, put_to_question

#: Seconds after which it is asked no more.
ASK_FOR_S: Final = 86400.0


def begin(message: Message, now: float, gateway: str, bundle: str = "") -> Message:
    """The message as it must be on disk before the provider behind ``gateway`` is called at ``now``.

    ``bundle`` names the request if others go in it too (see core.bundle).
    """
    return attrs.evolve(
        message,
        state=advance(message.state, State.SENDING),
        changed_at=now,
        gateway=gateway,
        attempts=message.attempts + 1,
        attempted_at=now,
        tried_since=now if message.tried_since is None else message.tried_since,
        bundle=bundle,
    )


def expire(message: Message, now: float) -> Message:
    """The message once its validity has ended; uncertain when the provider may have it."""
    if message.is_repeat:
        return put_to_question(message, now, message.error)
    return move(message, State.EXPIRED, now, What.EXPIRED, error="its validity ended while it waited")


def expire_overdue(message: Message, now: float) -> Message:
    """The same of a message that waits. Raises NotAllowed if it does not any more, or has all its time again."""
    if message.state is not State.QUEUED or not message.is_stale(now):
        raise NotAllowed(state=message.state.value, wanted=State.EXPIRED.value)
    return expire(message, now)


def expire_held(message: Message, now: float) -> Message:
    """A held message at an operator's word. Raises NotAllowed when it is not held any more."""
    if not message.is_held:
        raise NotAllowed(state=message.state.value, wanted=State.EXPIRED.value)
    return move(message, State.EXPIRED, now, What.EXPIRED, error="an operator let it expire after an outage")


def cancel(message: Message, now: float) -> Message:
    """The message once it was called back. Raises NotAllowed when it no longer waits, or the provider may have it."""
    if message.is_repeat:
        raise NotAllowed(state=State.UNCERTAIN.value, wanted=State.CANCELED.value)
    return move(message, State.CANCELED, now, What.CANCELED)


def revive(message: Message, now: float) -> Message:
    """A dead message put back into the queue with a fresh set of tries. Raises NotAllowed when it is not dead."""
    # One that is uncertain may go from there to the queue too, but not at a person's word: the provider may have it.
    if message.state is not State.DEAD:
        raise NotAllowed(state=message.state.value, wanted=State.QUEUED.value)
    revived = move(message, State.QUEUED, now, What.REPLAYED)
    # Whom the provider refused may be taken now; who has it, of a message that went in portions, gets it no more.
    has = tuple(each for each in message.deliveries if each.status is not DeliveryStatus.DELIVERY_FAILED)
    return attrs.evolve(revived, attempts=0, valid_until=None, tried_since=None, deliveries=has)


def settle(message: Message, outcome: Outcome, now: float, policy: Policy, draw: float) -> Message:
    """The message after an attempt came to ``outcome`` at ``now``; ``draw`` is uniform in [0, 1).

    Raises NotAllowed if it is not being sent.
    """
    if message.state is not State.SENDING:
        raise NotAllowed(state=message.state.value, wanted="settled")
    match outcome:
        case Accepted(provider_id=provider_id):
            return taken(message, provider_id, now, What.SENT, sent_at=now)
        case Refused(reason=reason) if message.portion:
            return without(message, [(each, reason) for each in message.going], now)
        case Refused(reason=reason):
            return move(message, State.DEAD, now, What.REFUSED, error=reason)
        case Spared(reason=reason, half=int()) if not message.bundle and len(message.going) > 1:
            return halve(message, reason, now)
        case Spared(reason=reason, half=half):
            # The fault is another's: this try does not count against it.
            spared = move(message, State.QUEUED, now, What.POSTPONED, error=reason)
            bundle = "" if half is None else half_name(message.bundle, half)
            return attrs.evolve(spared, attempts=message.attempts - 1, tried_since=None, bundle=bundle)
        case Unanswered(reason=reason, repeatable=repeatable):
            # Not even asked for before then: it cannot go again sooner.
            wait_s = max(outcome.retry_after_s, _pause_s(message, now, policy))
            after = move(message, State.UNCERTAIN, now, What.UNANSWERED, error=reason, wait_s=wait_s)
            return attrs.evolve(after, asks_first=outcome.is_fault) if repeatable else forsake(after)
        case PartlyRefused(reasons=reasons):
            return without(message, reasons, now)
        case Postponed() | Throttled() if message.tried_since != message.attempted_at:
            # This attempt was not taken, but an earlier one may have been: a repeat would be known for that.
            wait_s = _pause_s(message, now, policy)
            return move(message, State.UNCERTAIN, now, What.UNANSWERED, error=outcome.reason, wait_s=wait_s)
        case HeldOff() if message.tried_since != message.attempted_at:
            return put_to_question(message, now, outcome.reason)  # a person may take longer than a repeat is known
        case Postponed(reason=reason):
            return again(message, now, policy, What.POSTPONED, reason, draw)
        case Throttled(reason=reason):
            # It waits no longer than all the others do, who are held: so it keeps its place before them.
            return again(message, now, policy, What.POSTPONED, reason, 0.0)
        case HeldOff(reason=reason):
            # The fault is ours, not the message's: this try does not count against it.
            held = move(message, State.QUEUED, now, What.HELD_BACK, error=reason)
            return attrs.evolve(held, attempts=message.attempts - 1, tried_since=None)
    assert_never(outcome)


def abandon(message: Message, now: float) -> Message:
    """The message when whoever was sending it is gone: it may have been taken. Raises NotAllowed if nobody was."""
    if message.state is not State.SENDING:
        raise NotAllowed(state=message.state.value, wanted=State.UNCERTAIN.value)
    return move(message, State.UNCERTAIN, now, What.INTERRUPTED, error="the daemon stopped while it was being sent")


def reported(message: Message, report: Report, now: float) -> Message:
    """The message after a status report came at ``now``; itself, when the report says nothing new.

    A report on a message of which we do not know that the provider has it shows that it does. Raises StillSending
    while the answer to its attempt is not written down, and while it goes out in portions: whoever is to send the
    next of them must not find another one than he leased.
    """
    is_proof = message.state is State.UNCERTAIN and report.recipient in message.going
    if message.state is State.SENDING or (message.is_in_portions and not is_proof):
        raise StillSending(id=message.id)
    deliveries, state = reports.reported(message.recipients, message.deliveries, report)
    if deliveries is message.deliveries:
        return message
    if message.state is State.UNCERTAIN or (message.state is State.QUEUED and message.attempts):
        message = taken(message, report.provider_id, now, What.FOUND, sent_at=message.attempted_at)
        deliveries, state = reports.reported(message.recipients, message.deliveries, report)
    return concluded(attrs.evolve(message, deliveries=deliveries), state, now)


def asked(message: Message, result: tuple[Report, ...] | LookupFailed, now: float) -> Message:
    """A message at ``now``, after the provider was asked what became of it; itself, once that is known.

    An answer without a verdict, or none, is asked for again in an hour, until a day has passed: 24 times at most.
    """
    for report in () if isinstance(result, LookupFailed) else result:
        message = reported(message, report, now)
    if message.state is not State.SENT:
        return message
    # Since it is known to be sent: the attempt may have been days earlier.
    is_over = now - message.changed_at >= ASK_FOR_S
    return attrs.evolve(message, attend_at=None if is_over else now + ASK_EVERY_S)


def archived(message: Message, died_at: float) -> Message:
    """A message once its letter is in the archive; itself if it is not the death of ``died_at`` any more."""
    if message.state is not State.DEAD or message.changed_at != died_at:
        return message
    return attrs.evolve(message, attend_at=None)


def _pause_s(message: Message, now: float, policy: Policy) -> float:
    """How long what went together waits before it goes again: half as long as it has been tried already.

    The same for all of them, whatever each has been through before: they have to be there at once.
    """
    since = now if message.tried_since is None else message.tried_since
    return min(policy.backoff.cap_s, max(0.0, now - since) / 2) if message.bundle else 0.0
