"""Describes what the API answers, with an example of each; those of errors are what is really answered."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from smsd.api.auth import Forbidden, Unauthorised
from smsd.api.problems import PROBLEM, Answer, BodyTooLarge, NotJson, answer_to, fitting
from smsd.api.site import BODY_LIMIT
from smsd.api.upload import NDJSON
from smsd.api.validation import InvalidBody, Problem
from smsd.core.errors import KeyReused, NotAllowed, SpoolFull, SpoolUnavailable, UnknownMessage
from smsd.core.key import Role

Json = dict[str, Any]

#: The id in every example.
ID: Final = "01K9ZC5J8P6X2T4V7Q1M3N0RBD"
_INVALID: Final = Problem(pointer="/originator", message="'originator' field '' is invalid: 'Must be …'")
#: One error of each kind, and when it comes: their answers are the examples.
_ERRORS: Final[tuple[tuple[Exception, str], ...]] = (
    (InvalidBody(_INVALID), "Something is wrong with the request; errors lists everything"),
    (Unauthorised(), "No API key, or a wrong one"),
    (Forbidden(Role.READ), "The API key is not for that; role says what it lacks"),
    (UnknownMessage(id=ID), "There is no such thing"),
    (NotAllowed(state="sent", wanted="canceled"), "It is too late for that, or too early (state says why), or taken"),
    (BodyTooLarge(BODY_LIMIT), "The body is too long, or a line of it"),
    (NotJson(), "The body is not sent as application/json; to POST /sms application/x-ndjson will do too"),
    (KeyReused(), "The Idempotency-Key was used already, with another body"),
    (
        SpoolFull(waiting=100, asked=1, limit=100, messages=100, in_line=100),
        "The backlog is full, the key's quota used up, or too many wrong keys came",
    ),
    (SpoolUnavailable(reason="database or disk is full"), "Nothing can be written or read, or smsd is stopping"),
)


def good_answer(name: str, description: str = "") -> Json:
    """200 with what the schema called ``name`` describes, by its HTTP status."""
    schema = schemas()[name]
    media = {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": schema["examples"][0]}
    return {"200": {"description": description or schema["description"], "content": {"application/json": media}}}


def taken_answer() -> Json:
    """What ``POST /sms`` answers when it is on disk."""
    one = schemas()["Taken"]["examples"][0]
    many = {"message": "Your SMS are being handled", "status": "ok", "ids": [ID], "position": 1, "eta": one["eta"]}
    broadcast = {**one, "recipients": 120, "requests": 3}
    ways = [{"$ref": f"#/components/schemas/{name}"} for name in ("Taken", "TakenMany")]
    examples = {"one": {"value": one}, "array": {"value": many}, "broadcast": {"value": broadcast}}
    content = {"application/json": {"schema": {"oneOf": ways}, "examples": examples}, NDJSON.decode(): _told_lines()}
    headers = {
        "Location": _header("Where it can be asked for"),
        "Idempotent-Replayed": _header("true when this is the answer to an earlier request with the same key"),
        "RateLimit-Policy": _header("The quotas of the API key"),
        "RateLimit": _header("What is left of them"),
    }
    where = {"parameters": {"id": "$response.body#/id"}}
    links = {name: {"operationId": name, **where} for name in ("get_sms_id", "delete_sms_id", "post_sms_id_replay")}
    return {"200": {"description": "On disk", "headers": headers, "content": content, "links": links}}


def lines(about: str, item: Json, *examples: Json) -> Json:
    """A body of lines, each of which is as ``item`` describes it: OpenAPI 3.1 has no word for that, 3.2 has."""
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in examples)
    return {"schema": {"type": "string", "description": about}, "x-itemSchema": item, "example": text}


def _told_lines() -> Json:
    names = ("Batch", "UploadEnd", "UploadBroken")
    about = "A line for each batch as it is on disk, while the rest may still be on its way; the last one ends it"
    item = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}
    return lines(about, item, *(schemas()[name]["examples"][0] for name in names[:2]))


def ready_answer() -> Json:
    """What ``GET /ready`` answers: both times the checks."""
    good = good_answer("Ready")
    why = {"message": "The provider takes nothing: wrong key", "status": "error", "checks": {"provider": "wrong key"}}
    problem = _contents(Answer(code=503, body=why), "#/components/schemas/Ready")
    return good | {"503": {"description": "Messages are not taken, or not sent", "content": problem}}


def text_answer(*types: str) -> Json:
    """200 with a text in one of these media ``types``."""
    content = {name: {} if name == "application/json" else {"schema": {"type": "string"}} for name in types}
    return {"200": {"description": "As it is", "content": content}}


def _header(description: str) -> Json:
    return {"description": description, "schema": {"type": "string"}}


def _errors() -> Iterator[tuple[int, Answer, str]]:
    for error, when in _ERRORS:
        answer = answer_to(error)
        yield answer.code, answer, when


def _problem(answer: Answer, when: str) -> Json:
    # Of some, like 429, not every one has all of these headers.
    headers = {name: _header(f"Such as {value}") for name, value in answer.headers.items()}
    content = _contents(answer, "#/components/schemas/Error")
    return {"description": when, **({"headers": headers} if headers else {}), "content": content}


def _contents(answer: Answer, schema: str) -> Json:
    problem = fitting(answer, PROBLEM)
    return {
        "application/json": {"schema": {"$ref": schema}, "example": answer.body},
        PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": problem.body},
    }


def schemas() -> Json:
    """Every schema that answers have, by its name."""
    found: Json = json.loads(files("smsd.api").joinpath("schema", "answers.json").read_text(encoding="utf-8"))
    return found


def problems() -> Json:
    """Every answer that is an error, by its HTTP status."""
    return {str(code): _problem(answer, when) for code, answer, when in _errors()}
