"""Reads what MessageBird tells us by itself: status reports and incoming messages."""

from collections.abc import Mapping

import jwt
from messagebird.error import ValidationError
from messagebird.request_validator import RequestValidator

from smsd.core.report import BadReport, BadSignature, DeliveryStatus, Inbound, Report
from smsd.core.scrub import hide
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


def status_report(params: Mapping[str, object]) -> Report:
    """Read a status report from its query, form or JSON fields (``id reference recipient status statusDatetime`` …).

    What it must have is read strictly. A reason, code or network that cannot be read is left out: it must not cost us
    the status. Raises BadReport.
    """
    return Report(
        reference=word(params, "reference"),
        recipient=msisdn(params, "recipient"),
        status=_status(params),
        at=moment(params, "statusDatetime"),
        reason=plain(optional(params, "statusReason")),
        error_code=code(optional(params, "statusErrorCode")),
        network=network(optional(params, "mccmnc")),
        provider_id=optional(params, "id")[:MAX_WORD],
    )


def inbound(params: Mapping[str, object]) -> Inbound:
    """Read an incoming message from ``id originator recipient body createdDatetime``. Raises BadReport."""
    return Inbound(
        id=word(params, "id"),
        originator=originator(params, "originator"),
        recipient=msisdn(params, "recipient"),
        body=storable(text(params, "body", MAX_BODY)),
        received_at=moment(params, "createdDatetime"),
    )


def public_url(base: str, uri: bytes) -> str:
    """The URL that the provider called: what we are known under outside, and the request line's path and query.

    What a proxy in front makes of host, scheme or path is not what was signed. The path and query stay as they came.
    """
    return base.rstrip("/") + uri.decode("utf-8", "surrogateescape")


def verify(signing_key: str, *, signature: str, url: str, body: bytes) -> None:
    """Check that MessageBird signed this request for ``url`` (see ``public_url``) and ``body``.

    ``signature`` is the header ``MessageBird-Signature-JWT``. The SDK's own validator checks it: it takes HS256, HS384
    and HS512 only, and **reads the wall clock by itself**, so that no time can be given to it, and a clock that is more
    than a second behind refuses good requests (``nbf``). It does not remember ``jti``: a request can be repeated until
    its ``exp``, so whoever takes it must not mind. Raises BadSignature.
    """
    try:
        RequestValidator(signing_key).validate_signature(signature, url, body)
    except ValidationError as error:
        # Its words may quote the header of a token that nobody has signed.
        raise BadSignature(reason=plain(error.message)) from None
    except jwt.PyJWTError:
        raise BadSignature(reason="our own signing key cannot be used") from None
    # The validator takes it for granted that the hashes are there and are text, and that all can be written as UTF-8.
    except (KeyError, TypeError, UnicodeEncodeError):
        raise BadSignature(reason="its claims or its URL cannot be read") from None


def _status(params: Mapping[str, object]) -> DeliveryStatus:
    status = word(params, "status")
    try:
        return DeliveryStatus(status)
    except ValueError:
        raise BadReport(reason=f"its status {hide(status)!r} is unknown") from None
