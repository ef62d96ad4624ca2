"""Reads requests, writes answers and ends connections, in Twisted's terms."""

import json
from typing import Any, cast

from twisted.internet.interfaces import ITCPTransport
from twisted.web.iweb import IRequest
from twisted.web.server import Request

from smsd.sandbox.problems import Problem, Refusal
from smsd.sandbox.validation import read_fields


def reply(request: IRequest, status: int, answer: dict[str, Any]) -> bytes:
    """Answer with JSON."""
    request.setResponseCode(status)
    request.setHeader("Content-Type", "application/json")
    body = json.dumps(answer).encode()
    request.setHeader("Content-Length", str(len(body)))
    return body


def refuse(request: IRequest, refusal: Refusal) -> bytes:
    """Answer with errors."""
    return reply(request, refusal.status, {"errors": [problem.as_json() for problem in refusal.problems]})


def base_url(request: Request) -> str:
    """Give the address that the client used, for links."""
    return f"http://{request.getHeader('Host') or 'localhost'}"


def query(request: Request) -> dict[str, str]:
    """Give the query's parameters in their order, the first value of each."""
    args = request.args or {}
    return {name.decode(errors="replace"): values[0].decode(errors="replace") for name, values in args.items()}


def fields(request: Request) -> dict[str, Any]:
    """Read the body as JSON or form. Raises Refusal (400)."""
    return read_fields(content(request), request.getHeader("Content-Type") or "")


def content(request: Request) -> bytes:
    """Give the body as it came."""
    body = request.content
    assert body is not None  # Twisted sets it before it routes
    body.seek(0)
    return bytes(body.read())


def flag(request: Request, name: str) -> bool:
    """Read ``{"NAME": true}`` or ``false``. Raises Refusal (400)."""
    value = fields(request).get(name)
    if not isinstance(value, bool):
        raise Refusal(400, Problem(10, f"{name} must be true or false", name))
    return value


def connection(request: Request) -> ITCPTransport:
    """Give the connection under a request, to close or reset it."""
    return cast(ITCPTransport, request.transport)
