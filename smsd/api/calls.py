"""Describes the calls that providers make by themselves."""

from collections.abc import Mapping
from typing import Any, Final

from smsd.api.answers import ID, Json, good_answer
from smsd.core.report import DeliveryStatus

#: By field, what it means and an example; a status report of MessageBird's has them, and a few that may be left out.
_STATUS: Final[Mapping[str, tuple[str, Any]]] = {
    "reference": ("The id of the message here", ID),
    "recipient": ("To whom it went", "31633450007"),
    "status": (f"One of {', '.join(each.value for each in DeliveryStatus)}", "delivered"),
    "statusDatetime": ("Since when, RFC 3339", "2026-11-24T06:13:46+00:00"),
}
_INBOUND: Final[Mapping[str, tuple[str, Any]]] = {
    "id": ("The provider's id", "e8077d803532c0b5937c639b60216938"),
    "originator": ("Who sent it", "31633450007"),
    "recipient": ("The number of ours that it was sent to", "31600000002"),
    "body": ("The text", "STOP"),
    "createdDatetime": ("When the provider got it, RFC 3339", "2026-11-24T06:13:46+00:00"),
}
_SIGNATURE: Final = {
    "name": "MessageBird-Signature-JWT",
    "in": "header",
    "description": "Checked once SMSD_SIGNING_KEY is set",
    "schema": {"type": "string"},
}
#: What may be answered beside 200.
_CODES: Final = (400, 401, 404, 409, 413, 503)


def calls() -> Json:
    """Every path that a provider calls, with its operations."""
    return {
        "/messagebird/status": _messagebird("Take a status report of MessageBird's", _STATUS),
        "/messagebird/inbound": _messagebird("Take an incoming message from MessageBird", _INBOUND),
        "/bird/events": {
            "post": _operation("Take an event of Bird's", (400, 401, 404, 413, 503), requestBody=_event()),
        },
    }


def _messagebird(summary: str, fields: Mapping[str, tuple[str, Any]]) -> Json:
    queries = [
        {"name": name, "in": "query", "required": True, "description": what, "schema": {"type": "string"}}
        | {"example": example}
        for name, (what, example) in fields.items()
    ]
    properties = {name: {"description": what} for name, (what, _) in fields.items()}  # a number will do as well
    media = {
        "schema": {"type": "object", "properties": properties, "required": list(fields)},
        "example": {name: example for name, (_, example) in fields.items()},
    }
    # Either form will do; a field may stand in the query as well.
    body = {"required": True, "content": {"application/json": media, "application/x-www-form-urlencoded": media}}
    return {
        "get": _operation(summary, _CODES, parameters=[_SIGNATURE, *queries]),
        "post": _operation(summary, _CODES, parameters=[_SIGNATURE], requestBody=body),
    }


def _event() -> Json:
    data = {"id": "sms_01kh", "status": "delivered"}
    example = {"type": "sms.delivered", "timestamp": "2026-11-24T06:13:46Z", "data": data}
    schema = {"type": "object", "description": "As Bird signs it, see docs/moving-to-bird.md"}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _operation(summary: str, codes: tuple[int, ...], **more: Any) -> Json:
    errors = {str(code): {"$ref": f"#/components/responses/{code}"} for code in codes}
    return {"summary": summary, "security": [], **more, "responses": good_answer("Ok") | errors}
