"""A receiver of callbacks, on 127.0.0.1, that remembers what it was told."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


@attrs.frozen(kw_only=True)
class Call:
    """One callback as it came in."""

    id: str
    timestamp: str
    signature: str
    raw: bytes
    trace: str | None = None  #: its traceparent

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw)
        return body

    def is_signed_with(self, secret: bytes) -> bool:
        """Whether one of its signatures is that of ``secret``, as Standard Webhooks 1.0.0 computes it."""
        content = b".".join([self.id.encode(), self.timestamp.encode(), self.raw])
        wanted = "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
        return wanted in self.signature.split(" ")


class Hook(Resource):
    """Answers each call by ``answer`` (an HTTP status, or None for never)."""

    isLeaf = True  # noqa: N815  # as twisted.web spells it

    def __init__(self, answer: Callable[[Call], int | None] = lambda call: 204) -> None:
        super().__init__()
        self.answer = answer
        self.calls: list[Call] = []
        self._port: Any = None

    def start(self) -> "Hook":
        self._port = reactor.listenTCP(0, Site(self), interface="127.0.0.1")
        return self

    async def stop(self) -> None:
        await self._port.stopListening()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.getHost().port}/hook"

    def told(self, id: str | None = None) -> Sequence[str]:
        """The types of what it was told, of message ``id`` or of all."""
        return [call.body["type"] for call in self.calls if id in (None, call.body["data"]["id"])]

    def render(self, request: Any) -> Any:
        header = request.getHeader
        self.calls.append(
            Call(
                id=header("webhook-id"),
                timestamp=header("webhook-timestamp"),
                signature=header("webhook-signature"),
                raw=request.content.read(),
                trace=header("traceparent"),
            )
        )
        code = self.answer(self.calls[-1])
        if code is None:
            return NOT_DONE_YET
        request.setResponseCode(code)
        return b""
