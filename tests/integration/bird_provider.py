"""A look-alike of Bird on a loopback port, which is not the sandbox: it stores each idempotency key once."""

import itertools
import json
import time
from collections import deque
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site


class BirdProvider(Resource):
    """Takes ``POST /v1/sms/messages``; scripted for the next posts: works, cut (stores, then resets), 422 or 500."""

    isLeaf = True  # noqa: N815  # as twisted.web spells it

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, dict[str, Any]] = {}  #: by idempotency key
        self.arrived: list[float] = []
        self.script: deque[str] = deque()
        self._ids = (f"msg_{number:024}" for number in itertools.count(1))
        self._port: Any = None

    def start(self) -> "BirdProvider":
        self._port = reactor.listenTCP(0, Site(self), interface="127.0.0.1")
        return self

    async def stop(self) -> None:
        await self._port.stopListening()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.getHost().port}"

    def render_GET(self, request: Any) -> bytes:
        return b'{"data": [], "next_cursor": null}'

    def render_POST(self, request: Any) -> Any:
        self.arrived.append(time.monotonic())
        request.setHeader("content-type", "application/json")
        key, body = request.getHeader("idempotency-key"), json.loads(request.content.read())
        assert request.getHeader("authorization") == "Bearer bk_eu1_secret"
        doing = self.script.popleft() if self.script else "works"
        if doing == "422":
            request.setResponseCode(422)
            error = {"type": "invalid_request", "code": "invalid_recipient", "message": "That is no number of a phone."}
            return json.dumps({"error": error, **error}).encode()
        if doing == "500":
            request.setResponseCode(500)
            return b'{"type": "api_error", "message": "Something is broken."}'
        if key not in self.stored:
            self.stored[key] = {"id": next(self._ids), **body}
        if doing == "cut":
            request.channel.transport.abortConnection()
            return b""
        request.setResponseCode(202)
        return json.dumps({**self.stored[key], "status": "accepted", "created_at": "2026-11-24T10:00:00Z"}).encode()
