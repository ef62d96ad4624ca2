"""Reads what Bird tells us by itself: what became of a message, and incoming messages."""

import json
from collections.abc import Mapping
from typing import Any, Final

from smsd.core.report import BadReport, BadSignature, DeliveryStatus, Inbound, Report
from smsd.gateway.bird_sdk import Bird, WebhookVerificationError
from smsd.gateway.fields import (
    MAX_BODY,
    MAX_WORD,
    code,
    moment,
    msisdn,
    network,
    optional,
    originator,
    plain,
    storable,
    text,
    word,
)

#: What each status of a message, and each event ``sms.STATUS``, says of its handset.
_STATUSES: Final[Mapping[str, DeliveryStatus]] = {
    "scheduled": DeliveryStatus.SCHEDULED,
    "accepted": DeliveryStatus.SCHEDULED,
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "expired": DeliveryStatus.EXPIRED,
    "undelivered": DeliveryStatus.DELIVERY_FAILED,
    "failed": DeliveryStatus.DELIVERY_FAILED,
    "rejected": DeliveryStatus.DELIVERY_FAILED,
    "canceled": DeliveryStatus.DELIVERY_FAILED,
}
_PREFIX: Final = "sms."
_RECEIVED: Final = "sms.received"


class BirdEvents:
    """Reads signed events; the ``secret`` is what Bird showed once, when its webhook was made (``whsec_…``)."""

    def __init__(self, secret: str) -> None:
        # It asks nobody for anything: key and address only keep it from looking for some in the environment.
        self._webhooks = Bird(api_key="unused", base_url="http://localhost", webhook_secret=secret).webhooks

    def read(self, headers: Mapping[str, str], body: bytes) -> Report | Inbound | None:
        """What a call of Bird's says; None when it is of no concern here: of e-mail, say, or not of our messages.

        The SDK checks who signed it, by the headers ``webhook-id``, ``-timestamp`` and ``-signature``. It **reads the
        wall clock by itself**, and refuses what was signed more than five minutes ago or ahead; it does not remember
        what it has seen, so whoever takes the event must not mind a repeat. Raises BadSignature and BadReport.
        """
        self._verify(headers, body)
        fields = _object(body)
        kind, data, at = word(fields, "type"), fields.get("data"), fields.get("timestamp")
        if not kind.startswith(_PREFIX):
            return None
        if not isinstance(data, Mapping):
            raise BadReport(reason="it has no data")
        if kind == _RECEIVED:
            return _inbound({**data, "timestamp": at})
        status = kind.removeprefix(_PREFIX)
        if status not in _STATUSES or not _is_ours(data):
            return None
        return _report({**data, "id": data.get("sms_id"), "status": status, "at": at})

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        try:
            self._webhooks.unwrap(body, headers)
        except WebhookVerificationError as error:
            # Over a ValueError it was signed by Bird, but is nothing that this SDK knows: what is needed of it is read
            # here, so that a field that has changed does not cost us the status.
            if not isinstance(error.__cause__, ValueError):
                raise BadSignature(reason=plain(str(error))) from None
        except TypeError:  # a signature beyond ASCII
            raise BadSignature(reason="no matching v1 signature") from None


def item_report(item: Mapping[str, Any]) -> Report:
    """What a message that Bird lists says of its recipient. Raises BadReport."""
    status, error = item.get("status"), item.get("last_error")
    at = {"sent": item.get("sent_at"), "delivered": item.get("delivered_at")}.get(str(status))
    if isinstance(error, Mapping) and at is None:
        at = error.get("occurred_at")
    return _report({**item, "at": at or item.get("created_at"), "error": error})


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadReport(reason="it is no JSON object")
    return fields


def _is_ours(data: Mapping[str, Any]) -> bool:
    """Whether it is about a message of this daemon's: others may send through the same account."""
    metadata = data.get("metadata")
    return isinstance(metadata, Mapping) and "reference" in metadata


def _report(told: Mapping[str, Any]) -> Report:
    status = _STATUSES.get(word(told, "status"))
    metadata, error = told.get("metadata"), told.get("error")
    if status is None:
        raise BadReport(reason="its status is unknown")
    said: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    reason = ": ".join(part for part in (optional(said, "code"), optional(said, "description")) if part)
    return Report(
        reference=word(metadata if isinstance(metadata, Mapping) else {}, "reference"),
        recipient=msisdn(told, "to"),
        status=status,
        at=moment(told, "at"),
        reason=plain(reason),
        error_code=code(optional(said, "carrier_error_code")),
        network=network(optional(told, "mcc_mnc")),
        provider_id=optional(told, "id")[:MAX_WORD],
    )


def _inbound(data: Mapping[str, Any]) -> Inbound:
    # Attachments alone have no text.
    body = text(data, "text", MAX_BODY) if data.get("text") is not None else ""
    return Inbound(
        id=word(data, "sms_id"),
        originator=originator(data, "from"),
        recipient=msisdn(data, "to"),
        body=storable(body),
        received_at=moment(data, "timestamp"),
    )
