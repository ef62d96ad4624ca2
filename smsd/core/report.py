"""Keeps what the provider reports of each recipient, whatever the order in which its reports come in.

The one rule: a final status is never taken back nor replaced, and replaces any that is not final; of two that are not
final the later one stands, by status time, and of two at the same time the one further along.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from smsd.core.address import Msisdn
from smsd.core.errors import SmsdError
from smsd.core.lifecycle import State


class DeliveryStatus(enum.Enum):
    """How far an SMS has come on its way to one handset, in that order; the values are MessageBird's words."""

    SCHEDULED = "scheduled"  #: the provider keeps it for later
    SENT = "sent"  #: an operator has it
    BUFFERED = "buffered"  #: the operator waits for the handset
    DELIVERED = "delivered"  #: the handset has it
    EXPIRED = "expired"  #: its validity ended on the way
    DELIVERY_FAILED = "delivery_failed"  #: the handset will not get it

    @property
    def is_final(self) -> bool:
        """Whether nothing follows it."""
        return self in _FINAL


_FINAL: Final = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.EXPIRED, DeliveryStatus.DELIVERY_FAILED})
#: How far along each status is.
_STEP: Final[Mapping[DeliveryStatus, int]] = {status: step for step, status in enumerate(DeliveryStatus)}


@attrs.frozen(kw_only=True)
class BadReport(SmsdError):
    """That is no report of the provider's: {reason}."""

    reason: str  #: in words fit for a log: no number, no text


@attrs.frozen(kw_only=True)
class BadSignature(SmsdError):
    """The provider did not sign this request: {reason}."""

    reason: str  #: in words fit for a log: nothing of the key or the signature


@attrs.frozen(kw_only=True)
class Delivery:
    """What is known of one recipient of a message."""

    recipient: Msisdn  #: whose handset it is about
    status: DeliveryStatus  #: how far it has come
    at: float  #: UTC epoch seconds; since when, by the provider's clock
    reason: str = ""  #: why, in the provider's words; empty when it gave none
    error_code: int | None = None  #: the provider's number for the reason
    network: str = ""  #: the operator's MCC and MNC (ITU-T E.212), 5 or 6 digits; empty when unknown

    def words(self) -> str:
        """Status, reason and code in words fit for a log."""
        reason = f": {self.reason}" if self.reason else ""
        code = "" if self.error_code is None else f" (code {self.error_code})"
        return f"{self.status.value}{reason}{code}"


@attrs.frozen(kw_only=True)
class Report:
    """One status report, as the provider sent it."""

    reference: str  #: the id of our message
    recipient: Msisdn  #: whose handset it is about
    status: DeliveryStatus  #: how far it has come
    at: float  #: UTC epoch seconds; since when, by the provider's clock
    reason: str = ""  #: why, in the provider's words; empty when it gave none
    error_code: int | None = None  #: the provider's number for the reason
    network: str = ""  #: the operator's MCC and MNC (ITU-T E.212), 5 or 6 digits; empty when unknown
    provider_id: str = ""  #: theirs, of the message; empty when it gave none

    def delivery(self) -> Delivery:
        """What it says of its recipient."""
        return Delivery(
            recipient=self.recipient,
            status=self.status,
            at=self.at,
            reason=self.reason,
            error_code=self.error_code,
            network=self.network,
        )


@attrs.frozen(kw_only=True)
class Inbound:
    """One SMS that somebody sent to a number of ours."""

    id: str  #: theirs; the same when the provider tells of it again
    originator: str  #: a number as digits without ``+``, or the name that an operator or company sends under
    recipient: Msisdn  #: our number
    body: str  #: the text, perhaps empty
    received_at: float  #: UTC epoch seconds, by the provider's clock


def merge(deliveries: tuple[Delivery, ...], report: Report) -> tuple[Delivery, ...]:
    """``deliveries`` (one a recipient, by number) after ``report``; the same tuple when it says nothing new."""
    told = report.delivery()
    known = next((delivery for delivery in deliveries if delivery.recipient == told.recipient), None)
    if known is not None and not _supersedes(told, known):
        return deliveries
    others = [delivery for delivery in deliveries if delivery is not known]
    # By number, so that the order of the reports cannot be seen afterwards.
    return tuple(sorted([*others, told], key=lambda delivery: delivery.recipient.digits))


def verdict(recipients: Sequence[Msisdn], deliveries: tuple[Delivery, ...]) -> State | None:
    """DELIVERED when every recipient has it, UNDELIVERED when all are final and one has not, None while one is open."""
    known = {delivery.recipient: delivery.status for delivery in deliveries}
    statuses = [known.get(recipient, DeliveryStatus.SCHEDULED) for recipient in recipients]
    if not all(status.is_final for status in statuses):
        return None
    delivered = all(status is DeliveryStatus.DELIVERED for status in statuses)
    return State.DELIVERED if delivered else State.UNDELIVERED


def reported(
    recipients: Sequence[Msisdn], deliveries: tuple[Delivery, ...], report: Report
) -> tuple[tuple[Delivery, ...], State | None]:
    """A message's deliveries after ``report``, and the state they call for (None: the one it is in).

    The deliveries are the same tuple, and the state None, when the report says nothing new or is about a number that
    the message did not go to.
    """
    after = merge(deliveries, report) if report.recipient in recipients else deliveries
    return after, None if after is deliveries else verdict(recipients, after)


def _supersedes(told: Delivery, known: Delivery) -> bool:
    if known.status.is_final:
        return False
    # An operator's clock may lag: what is final counts even when it is dated before what is not.
    return told.status.is_final or (told.at, _STEP[told.status]) > (known.at, _STEP[known.status])
