"""Takes what the provider tells by itself."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest
from werkzeug.exceptions import NotFound

from smsd.api.problems import Answer, ok
from smsd.api.validation import read_json
from smsd.core.report import Inbound, Report
from smsd.pipeline.incoming import Incoming
from smsd.pipeline.reports import Reports


class Verify(Protocol):
    """Raises BadSignature unless the provider itself made this call."""

    def __call__(self, *, signature: str, uri: bytes, body: bytes) -> None:
        """Check the ``MessageBird-Signature-JWT`` of a request for ``uri`` (path and query) with ``body``."""


class Signed(Protocol):
    """Reads events that carry their signature in their headers."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Report | Inbound | None:
        """What an event says; None when it is of no concern. Raises BadSignature and BadReport."""


class Hooks:
    """The provider's webhooks."""

    def __init__(
        self,
        *,
        reports: Reports,
        incoming: Incoming,
        read_report: Callable[[Mapping[str, object]], Report],
        read_inbound: Callable[[Mapping[str, object]], Inbound],
        verify: Verify,
        bird: Signed | None,
    ) -> None:
        """``read_report`` and ``read_inbound`` read a call's fields, and raise BadReport; ``bird`` reads its events."""
        self._bird = bird
        self._reports = reports
        self._incoming = incoming
        self._read_report = read_report
        self._read_inbound = read_inbound
        self._verify = verify

    async def status(self, request: IRequest) -> Answer:
        """Take a status report. Raises BadSignature, BadReport and whatever Reports.take raises."""
        await self._reports.take(self._read_report(self._verified(request)))
        return Answer(code=200, body=ok("Thank you"))

    async def inbound(self, request: IRequest) -> Answer:
        """Take an incoming message. Raises BadSignature, BadReport and SpoolUnavailable."""
        await self._incoming.take(self._read_inbound(self._verified(request)))
        return Answer(code=200, body=ok("Thank you"))

    async def event(self, request: IRequest) -> Answer:
        """Take an event of Bird's. Raises NotFound without its secret, and what the others raise."""
        if self._bird is None:
            raise NotFound
        given = request.requestHeaders.getAllRawHeaders()
        headers = {name.decode("latin-1").lower(): values[0].decode("latin-1") for name, values in given}
        match self._bird.read(headers, request.content.read()):
            case Report() as report:
                await self._reports.take(report)
            case Inbound() as inbound:
                await self._incoming.take(inbound)
            case None:
                pass
        return Answer(code=200, body=ok("Thank you"))

    def _verified(self, request: IRequest) -> dict[str, Any]:
        body = request.content.read()
        signature = request.requestHeaders.getRawHeaders(b"messagebird-signature-jwt", [b""])[0]
        self._verify(signature=signature.decode("latin-1"), uri=request.uri, body=body)
        return _fields(request, body)


def _fields(request: IRequest, body: bytes) -> dict[str, Any]:
    query = request.uri.partition(b"?")[2].decode("latin-1")
    fields: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    kind = request.requestHeaders.getRawHeaders(b"content-type", [b""])[0].partition(b";")[0].strip().lower()
    if kind == b"application/json":
        told = read_json(body)
        return fields | told if isinstance(told, dict) else fields
    return fields | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
