"""A look-alike of Bird on a loopback port, which is not the sandbox: it stores each idempotency key once."""

import itertools
import json
import time
from collections import deque
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class BirdProvider(Resource):
    """Takes messages, single ones and batches, and lists them.

    Scripted for the next posts: "works", "cut" (stores, then resets), "withheld" (stores, and never answers), "422"
    (refuses the last message of a batch by name), "500" (stores nothing) or "broken" (stores, answers 500 and forgets
    the key).
    """

    isLeaf = True  # noqa: N815  # as twisted.web spells it

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[dict[str, Any]] = []  #: each message once for each time that a phone would ring
        self.arrived: list[tuple[float, str, bytes]] = []  #: monotonic seconds, idempotency key and body
        self.script: deque[str] = deque()
        self.refused: set[str] = set()  #: numbers for which nothing is taken; nobody is told which of a batch it was
        self._known: dict[str, tuple[bytes, Any]] = {}
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

    def references(self) -> list[str]:
        """Our ids of what it stored."""
        return [each["metadata"]["reference"] for each in self.stored]

    def render_GET(self, request: Any) -> bytes:
        to = request.args[b"to"][0].decode()
        return json.dumps({"data": [each for each in self.stored if each["to"] == to], "next_cursor": None}).encode()

    def render_POST(self, request: Any) -> Any:
        key, content = request.getHeader("idempotency-key"), request.content.read()
        self.arrived.append((time.monotonic(), key, content))
        request.setHeader("content-type", "application/json")
        assert request.getHeader("authorization") == "Bearer bk_eu1_secret"
        doing = self.script.popleft() if self.script else "works"
        body = json.loads(content)
        if doing == "422":
            return self._refused(request, body, says_whom=True)
        if not self.refused.isdisjoint(each["to"] for each in body.get("messages", [body])):
            return self._refused(request, body, says_whom=False)
        if doing != "500" and key not in self._known:
            self._known[key] = content, self._store(body)
        told = self._known.get(key, (content,))
        assert told[0] == content, "the key was used for another request"
        if doing == "cut":
            request.channel.transport.abortConnection()
            return b""
        if doing == "withheld":
            return NOT_DONE_YET
        if doing in ("500", "broken"):
            self._known.pop(key, None)
            request.setResponseCode(500)
            return b'{"type": "api_error", "message": "Something is broken."}'
        request.setResponseCode(202)
        return json.dumps(told[1]).encode()

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        at = "2026-11-24T10:00:00Z"
        given = body.get("messages", [body])
        items = [{"id": next(self._ids), **each, "status": "accepted", "created_at": at} for each in given]
        self.stored += items
        return {"data": items} if "messages" in body else items[0]

    def _refused(self, request: Any, body: dict[str, Any], *, says_whom: bool) -> bytes:
        request.setResponseCode(422)
        error = {"type": "invalid_recipient", "message": "That is no number of a phone."}
        if "messages" in body and says_whom:
            error["param"] = f"messages[{len(body['messages']) - 1}].to"
        return json.dumps({"error": error, **error}).encode()
