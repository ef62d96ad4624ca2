"""Takes what the provider tells by itself."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest

from smsd.api.problems import Answer, ok
from smsd.api.validation import read_json
from smsd.core.report import Report
from smsd.pipeline.reports import Reports


class Verify(Protocol):
    """Raises BadSignature unless the provider itself made this call."""

    def __call__(self, *, signature: str, uri: bytes, body: bytes) -> None:
        """Check the ``MessageBird-Signature-JWT`` of a request for ``uri`` (path and query) with ``body``."""


class Hooks:
    """The provider's webhooks."""

    def __init__(self, *, reports: Reports, read: Callable[[Mapping[str, object]], Report], verify: Verify) -> None:
        """``read`` makes a report of a call's fields, and raises BadReport."""
        self._reports = reports
        self._read = read
        self._verify = verify

    async def status(self, request: IRequest) -> Answer:
        """Take a status report. Raises BadSignature, BadReport and whatever Reports.take raises."""
        body = request.content.read()
        signature = request.requestHeaders.getRawHeaders(b"messagebird-signature-jwt", [b""])[0]
        self._verify(signature=signature.decode("latin-1"), uri=request.uri, body=body)
        await self._reports.take(self._read(_fields(request, body)))
        return Answer(code=200, body=ok("Thank you"))


def _fields(request: IRequest, body: bytes) -> dict[str, Any]:
    query = request.uri.partition(b"?")[2].decode("latin-1")
    fields: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    kind = request.requestHeaders.getRawHeaders(b"content-type", [b""])[0].partition(b";")[0].strip().lower()
    if kind == b"application/json":
        told = read_json(body)
        return fields | told if isinstance(told, dict) else fields
    return fields | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
