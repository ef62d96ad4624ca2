"""Sends a message to several recipients in portions, when the provider refused them together without a word of whom.

A request has half as many recipients after each refusal and twice as many after each success. For fifty of whom one is
refused that takes 21 requests at most, if all are refused 55.
"""

from collections.abc import Iterable, Sequence

import attrs

from smsd.core.address import Msisdn
from smsd.core.lifecycle import State
from smsd.core.message import Message, What
from smsd.core.report import Delivery, DeliveryStatus, verdict
from smsd.core.steps import move, sent


def halve(message: Message, reason: str, now: float) -> Message:
    """``message``, whose request for several recipients was refused for a ``reason``: now for half of them."""
    queued = move(message, State.QUEUED, now, What.PARTLY_REFUSED, error=reason)
    return attrs.evolve(_anew(queued), portion=len(message.going) // 2)


def taken(message: Message, provider_id: str, now: float, what: What, sent_at: float | None) -> Message:
    """``message``, whose request the provider has as ``provider_id`` since ``sent_at``; it goes on to those left.

    ``what`` led to that. See ``steps.move``.
    """
    going = message.going
    if len(going) == len(message.remaining):
        return sent(message, provider_id, now, what, sent_at=sent_at)
    at = now if message.attempted_at is None else message.attempted_at  # no report on it may be older
    deliveries = _with(message, [_delivery(each, DeliveryStatus.SCHEDULED, at) for each in going])
    has = [each for each in deliveries if each.status is not DeliveryStatus.DELIVERY_FAILED]
    told = f"the provider has it for {len(has)} of {len(message.recipients)} recipients"
    queued = move(message, State.QUEUED, now, What.PARTLY_SENT, error=told)
    return attrs.evolve(
        _anew(queued),
        portion=2 * len(going),
        provider_id=provider_id,
        sent_at=sent_at,
        deliveries=deliveries,
    )


def without(message: Message, reasons: Sequence[tuple[Msisdn, str]], now: float) -> Message:
    """``message``, of which the provider refuses some recipients, for ``reasons``: it goes on to the others.

    Once nobody is left it is sent, if anybody has it, or dead.
    """
    refused = [_delivery(number, DeliveryStatus.DELIVERY_FAILED, now, reason) for number, reason in reasons]
    words = f"{len(refused)} of {len(message.recipients)} recipients were refused: {reasons[0][1]}"
    is_last = not set(message.remaining) - {number for number, _ in reasons}
    if is_last and message.sent_at is None:
        return move(message, State.DEAD, now, What.REFUSED, error=words)
    # To the others it is another request, and nothing of it was taken.
    queued = _anew(move(message, State.QUEUED, now, What.PARTLY_REFUSED, error=words))
    rest = attrs.evolve(queued, deliveries=_with(message, refused))
    if not is_last:
        return rest
    after = sent(rest, rest.provider_id, now, What.SENT, sent_at=rest.sent_at)
    return concluded(after, verdict(after.recipients, after.deliveries), now)


def concluded(message: Message, state: State | None, now: float) -> Message:
    """``message`` in the ``state`` that its deliveries call for, if they call for one and it is sent."""
    if state is None or message.state is not State.SENT:
        return message
    if state is State.DELIVERED:
        return move(message, state, now, What.DELIVERED)
    failed = [each.words() for each in message.deliveries if each.status is not DeliveryStatus.DELIVERED]
    return move(message, state, now, What.UNDELIVERED, error="; ".join(failed))


def _anew(queued: Message) -> Message:
    # What comes next is another request: the tries of this one do not count against it, nor have it wait.
    return attrs.evolve(queued, attempts=0, tried_since=None)


def _delivery(recipient: Msisdn, status: DeliveryStatus, at: float, reason: str = "") -> Delivery:
    return Delivery(recipient=recipient, status=status, at=at, reason=reason)


def _with(message: Message, more: Iterable[Delivery]) -> tuple[Delivery, ...]:
    return tuple(sorted([*message.deliveries, *more], key=lambda each: each.recipient.digits))
