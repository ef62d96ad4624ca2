"""Describes the API as an OpenAPI 3.1 document, from the schema that validates and the errors that are answered."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from smsd.api.answers import ID, Json, good_answer, lines, problems, ready_answer, schemas, taken_answer, text_answer
from smsd.api.calls import calls
from smsd.api.lines import LINE_LIMIT
from smsd.api.queries import REPLAYABLE, filters
from smsd.api.upload import MAX_LINE, NDJSON
from smsd.api.validation import MAX_ELEMENTS, SmsBody
from smsd.core.key import KEY_NAME, Role
from smsd.core.lifecycle import State
from smsd.core.query import MAX_PAGE

_SMS: Final = {"recipient": 31633450007, "originator": "MB", "message": "This is a test message."}
_KEY: Final[list[Json]] = [{"key": []}]
_OPEN: Final[list[Json]] = []
_PATH_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The id of a message, of a broadcast, or of a part of one",
    "schema": {"type": "string", "minLength": 1},
    "example": ID,
}
_NAME: Final = {"type": "string", "pattern": f"^{KEY_NAME.pattern}$"}
_KEY_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "What the key is called",
    "schema": {"type": "string", "minLength": 1},
    "example": "shop",
}
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same JSON value (of lines: the same octets) gets the first answer again, and "
    "nothing is sent twice",
    "schema": {"type": "string", "pattern": "^[!#-~][!-~]{0,254}$"},
    "example": "order-4711",
}
_LINE: Final = {
    "name": "line",
    "in": "query",
    "description": "Of application/x-ndjson: the number of the first line that is sent, to go on after the last "
    "one that was answered",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LINE, "default": 1},
    "example": 1001,
}


#: The form of each filter.
_FORMS: Final[Mapping[str, Json]] = {
    **{name: {"type": "string", "minLength": 1} for name in ("originator", "reference", "batch", "api_key", "cursor")},
    "recipient": {"type": ["integer", "string"], "minLength": 1},
    "state": {"enum": [state.value for state in State]},
    "held": {"const": "yes"},
    "since": {"type": "string", "format": "date-time"},
    "until": {"type": "string", "format": "date-time"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
}


def document() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "smsd",
            "version": version("smsd"),
            "summary": "Takes SMS, keeps them on disk, and sends them at the agreed rate.",
            "description": "An SMS that was answered 200 is never lost, never sent twice, and never sent too fast.",
        },
        "servers": [{"url": "/"}],
        "paths": _named(_paths()),
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
            "schemas": {"Sms": _sms(), **schemas()},
            "responses": problems(),
        },
    }


def _named(paths: Json) -> Json:
    """``paths`` with a name for each operation, such as ``get_sms_id``."""
    return {
        path: {
            method: {"operationId": "_".join([method, *re.findall(r"\w+", path)]), **operation}
            for method, operation in methods.items()
        }
        for path, methods in paths.items()
    }


def _paths() -> Json:
    shows = good_answer("Message", "The message as it stands")
    return {
        "/sms": {
            "get": _operation("List SMS, newest first", good_answer("Page"), 400, 503, parameters=_queries(filters())),
            "post": _operation(
                "Send SMS: one, an array, a broadcast, or a file of lines", taken_answer(), *_POSTED, **_post_sms()
            ),
        },
        "/sms/{id}": {
            "get": _operation("Show an SMS", shows, 404, 503, parameters=[_PATH_ID]),
            "delete": _operation("Call an SMS back while it waits", shows, 404, 409, 503, parameters=[_PATH_ID]),
        },
        "/sms/{id}/replay": {"post": _operation("Queue a dead SMS again", shows, 404, 409, 503, parameters=[_PATH_ID])},
        "/sms/replay": {
            "post": _operation("Queue dead SMS again", good_answer("Count"), 400, 413, 415, 503, requestBody=_filter())
        },
        "/held": {
            "post": _operation(
                "Decide over what is held since an outage",
                good_answer("Decided"),
                400,
                413,
                415,
                503,
                requestBody=_decision(),
            )
        },
        "/inbound": {
            "get": _operation(
                "List incoming messages",
                good_answer("InboundPage"),
                400,
                503,
                parameters=_queries(filters("limit", "cursor")),
            )
        },
        "/keys": {
            "get": _operation("List the API keys, but not what they are", good_answer("Keys")),
            "post": _operation("Make an API key", good_answer("Key"), 400, 409, 413, 415, 503, requestBody=_key()),
        },
        "/keys/{name}": {
            "delete": _operation("Revoke an API key", good_answer("Revoked"), 404, 503, parameters=[_KEY_NAME])
        },
        "/health": {"get": _public("Say that the process works", good_answer("Ok"))},
        "/ready": {"get": _public("Say whether messages are taken and sent", ready_answer())},
        "/metrics": {
            "get": _public("The metrics, for Prometheus", text_answer("text/plain", "application/openmetrics-text"))
        },
        "/openapi.json": {"get": _public("This document", text_answer("application/json"))},
        "/docs": {"get": _public("This document as a page", text_answer("text/html"))},
        **calls(),
    }


#: What ``POST /sms`` may answer beside 200 and 401.
_POSTED: Final = (400, 413, 415, 422, 429, 503)


def _operation(summary: str, good: Json, *codes: int, **more: Any) -> Json:
    """What a client with a key may do; ``codes`` are the errors that may come, beside those of any key."""
    return {"summary": summary, "security": _KEY, **more, "responses": _responses(good, 401, 403, 429, *codes)}


def _public(summary: str, good: Json, *codes: int, **more: Any) -> Json:
    return {"summary": summary, "security": _OPEN, **more, "responses": _responses(good, *codes)}


def _responses(good: Json, *codes: int) -> Json:
    return good | {
        str(code): {"$ref": f"#/components/responses/{code}"} for code in sorted(codes) if str(code) not in good
    }


def _post_sms() -> Json:
    one = {"$ref": "#/components/schemas/Sms"}
    array = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ELEMENTS}
    broadcast = {"recipients": [31633450007, "+31633450008"], "originator": "MB", "message": "To all of you"}
    examples = {"one": {"value": _SMS}, "array": {"value": [_SMS, _SMS]}, "broadcast": {"value": broadcast}}
    about = f"An SMS a line, each of at most {LINE_LIMIT} octets; bad ones are named in the answer, the others taken"
    content = {
        "application/json": {"schema": {"anyOf": [one, array]}, "examples": examples},
        NDJSON.decode(): lines(about, one, _SMS, {**_SMS, "recipient": 31633450008, "reference": "order 4711"}),
    }
    return {"parameters": [_IDEMPOTENCY, _LINE], "requestBody": {"required": True, "content": content}}


def _filter() -> Json:
    known = filters(*REPLAYABLE)
    properties = {name: {"description": rule, **_FORMS[name]} for name, rule in known.items()}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return _body(schema, {"originator": "MB", "since": "2026-11-24T06:00:00Z"})


def _key() -> Json:
    roles = {"type": "array", "items": {"enum": [role.value for role in Role]}, "minItems": 1, "uniqueItems": True}
    properties = {"name": {**_NAME, "description": "What it is called"}, "roles": {**roles, "description": "What for"}}
    required = ["name", "roles"]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return _body(schema, {"name": "shop", "roles": ["send", "read"]})


def _decision() -> Json:
    moment = {"type": "string", "format": "date-time"}
    ways = [
        {"type": "object", "properties": properties, "required": ["action"], "additionalProperties": False}
        for properties in ({"action": {"const": "send"}, "newer_than": moment}, {"action": {"const": "expire"}})
    ]
    schema = {"oneOf": ways}
    return _body(schema, {"action": "send", "newer_than": "2026-11-24T06:00:00Z"})


def _body(schema: Json, example: Any) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _queries(known: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "in": "query", "description": rule, "schema": _FORMS[name]} for name, rule in known.items()]


def _sms() -> Json:
    return {name: value for name, value in SmsBody().schema.items() if name != "$schema"} | {"examples": [_SMS]}
