"""Maps every error to the answer that a client gets."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import attrs
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from smsd.api.auth import Forbidden, TooManyGuesses, Unauthorised
from smsd.api.lines import LineTooLong
from smsd.api.ratelimit import ratelimit
from smsd.api.validation import InvalidBody, echo
from smsd.core.errors import (
    Closing,
    InvalidAddress,
    InvalidSubmission,
    KeyReused,
    KeysUnavailable,
    LeaseLost,
    NameTaken,
    NotAllowed,
    SpoolFull,
    SpoolRefused,
    SpoolUnavailable,
    StillSending,
    UnknownKey,
    UnknownMessage,
)
from smsd.core.quota import QuotaExceeded
from smsd.core.report import BadReport, BadSignature

#: Seconds after which a client may try again while the spool cannot write.
RETRY_UNAVAILABLE_S = 5


#: How RFC 9457 writes errors; only for those who ask for it by name.
PROBLEM: Final = "application/problem+json"
_JSON: Final = json.JSONEncoder(check_circular=False)


class NotJson(Exception):
    """The body is not declared as JSON."""


class BodyTooLarge(Exception):
    """The body is longer than is taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have at most {limit} bytes")


@attrs.frozen(kw_only=True)
class Answer:
    """What goes back to a client."""

    code: int  #: HTTP status
    body: Mapping[str, Any]
    headers: Mapping[str, str] = attrs.field(factory=dict)
    content_type: str = "application/json"

    def text(self) -> str:
        """The body as JSON, in ASCII, with a newline for terminals."""
        return _JSON.encode(self.body) + "\n"

    def encoded(self) -> bytes:
        """The same as octets."""
        return self.text().encode()


class Answered(Exception):
    """Another process has the answer already."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


def ok(message: str, **more: Any) -> dict[str, Any]:
    """A good body: the seed's two fields and ``more``."""
    return {"message": message, "status": "ok", **more}


def wrong(code: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    """A bad answer: the seed's two fields and ``more``."""
    return Answer(code=code, body={"message": message, "status": "error", **more}, headers=headers or {})


def fitting(answer: Answer, accept: str) -> Answer:
    """``answer``, but an error as RFC 9457 writes it if an ``Accept`` header of ``accept`` names that form.

    Its ``status`` is then the HTTP status, as the RFC has it; the other fields are the same.
    """
    if answer.code < 400 or not _names_problem(accept):
        return answer
    more = {name: value for name, value in answer.body.items() if name != "status"}
    problem = {
        "type": "about:blank",  # "the problem has no additional semantics beyond that of the HTTP status code", 4.2.1
        "title": HTTPStatus(answer.code).phrase,
        "status": answer.code,
        "detail": answer.body["message"],
    }
    return attrs.evolve(answer, body=problem | more, content_type=PROBLEM)


def _names_problem(accept: str) -> bool:
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        if name == PROBLEM:
            return not any(re.fullmatch(r"q\s*=\s*0(\.0*)?", parameter) for parameter in parameters)
    return False


def answer_to(error: BaseException | None) -> Answer:
    """The answer to ``error``; 500 without details for what is no error of ours."""
    match error:
        case Answered():
            return error.answer
        case InvalidBody():
            problems = [attrs.asdict(problem) for problem in error.problems]
            return wrong(400, str(error), errors=problems)
        case InvalidSubmission() | InvalidAddress():
            return wrong(400, str(error))
        case BadReport():
            return wrong(400, str(error))
        case BadSignature():
            return wrong(401, str(error))
        case StillSending():
            return wrong(503, str(error), {"Retry-After": str(RETRY_UNAVAILABLE_S)})
        case Unauthorised():
            return wrong(401, "Unauthorised key", {"WWW-Authenticate": 'ApiKey header="X-API-Key"'})
        case Forbidden():
            return wrong(403, str(error), role=error.role.value)
        case TooManyGuesses():
            return wrong(429, str(error), {"Retry-After": str(error.wait_s)})
        case NotFound() | RequestRedirect():  # to a path without the slash that is too many: its client is mistaken
            return wrong(404, "There is nothing here; GET /docs shows what there is")
        case UnknownMessage():
            return wrong(404, str(UnknownMessage(id=echo(error.id))))
        case UnknownKey():
            return wrong(404, str(UnknownKey(name=echo(error.name))))
        case MethodNotAllowed():
            allowed = sorted(error.valid_methods or ())
            return wrong(405, f"Only {', '.join(allowed)} may be used here", {"Allow": ", ".join(allowed)})
        case NotAllowed() | LeaseLost():
            return wrong(409, str(error), state=error.state)
        case NameTaken():
            return wrong(409, str(error))
        case BodyTooLarge() | LineTooLong():
            return wrong(413, str(error))
        case KeyReused():
            return wrong(422, str(error))
        case NotJson():
            return wrong(415, "The body must be sent as Content-Type: application/json")
        case SpoolFull():
            return wrong(429, str(error), {"Retry-After": str(error.retry_after_s)})
        case QuotaExceeded():
            again = {} if error.is_for_good else {"Retry-After": str(error.retry_after_s)}
            return wrong(429, str(error), {**again, **ratelimit(error.usages, error.at)})
        case SpoolUnavailable() | SpoolRefused() | KeysUnavailable() | Closing():
            return wrong(503, str(error), {"Retry-After": str(RETRY_UNAVAILABLE_S)})
        case _:
            return wrong(500, "Something is broken here; it has been logged")
