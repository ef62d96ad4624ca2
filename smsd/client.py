"""Talks to smsd from a program on Twisted."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict, cast
from uuid import uuid4

from treq.client import HTTPClient
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers

#: Seconds for one answer. An array of 10,000 takes a few on a slow disk.
TIMEOUT_S: Final = 30.0
#: How often a send is tried that got no answer; all tries have the same key, so it is taken once.
TRIES: Final = 3
#: Seconds between two of these tries.
PAUSE_S: Final = 1.0
#: How a connection ends that may or may not have carried the request over.
_UNANSWERED: Final = (ResponseNeverReceived, ResponseFailed, ConnectionLost, ConnectionDone)


class Sms(TypedDict):
    """An SMS as ``POST /sms`` takes it; docs/api.md has the rules."""

    recipient: NotRequired[int | str]  #: this, or ``recipients``
    recipients: NotRequired[Sequence[int | str]]
    originator: str
    message: str
    reference: NotRequired[str]
    priority: NotRequired[str]
    send_at: NotRequired[str]
    validity: NotRequired[int]  #: seconds
    callback_url: NotRequired[str]
    category: NotRequired[str]
    datacoding: NotRequired[str]


class Taken(TypedDict):
    """What smsd answers to an SMS that it keeps."""

    id: str
    segments: int
    position: int  #: its place in line
    eta: str  #: when it should leave, RFC 3339
    recipients: NotRequired[int]  #: of a broadcast
    requests: NotRequired[int]  #: of a broadcast


class Found(TypedDict):
    """A message as ``GET /sms/ID`` shows it; docs/api.md has the other fields."""

    id: str
    state: str
    message: str  #: its text
    attempts: int
    error: str | None


class NotTaken(Exception):
    """smsd answered, and said no."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after_s: int | None) -> None:
        super().__init__(f"{status}: {body.get('message', 'no reason given')}")
        self.status = status  #: the HTTP status
        self.body = body  #: the whole answer, with ``errors`` or ``state`` where there are any
        self.retry_after_s = retry_after_s  #: seconds after which it may be tried again; None if it says nothing


class Client:
    """One smsd, under one API key.

    Every call raises NotTaken when smsd says no, and twisted's own errors when it cannot be reached.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        new_key: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        """``url`` is such as ``http://localhost:5000``; ``new_key`` makes idempotency keys."""
        self._reactor = reactor
        self._url = url.rstrip("/")
        self._headers = {"X-API-Key": api_key}
        self._timeout_s = timeout_s
        self._new_key = new_key
        self._pool = HTTPConnectionPool(reactor)
        self._http = HTTPClient(Agent(reactor, connectTimeout=timeout_s, pool=self._pool))

    async def send(self, sms: Sms, *, key: str | None = None) -> Taken:
        """Have ``sms`` sent; answers once it is on smsd's disk.

        ``key`` is the Idempotency-Key, one of its own unless given: give the same one to say the same thing again.
        """
        return cast(Taken, await self._post(sms, key))

    async def send_many(self, many: Sequence[Sms], *, key: str | None = None) -> list[str]:
        """Have all of ``many``, 1 to 10,000, sent, or none of them; answers their ids in order."""
        ids: list[str] = (await self._post(list(many), key))["ids"]
        return ids

    async def find(self, id: str) -> Found:
        """The message or broadcast ``id`` as it stands."""
        return cast(Found, await self._ask("GET", f"/sms/{id}"))

    async def list(self, **filters: str | int) -> AsyncIterator[Found]:
        """Every message that ``filters`` admit, newest first; they are those of ``GET /sms``."""
        given = {name: str(value) for name, value in filters.items()}
        while True:
            page = await self._ask("GET", "/sms", params=given)
            for each in page["sms"]:
                yield each
            if page["cursor"] is None:
                return
            given["cursor"] = page["cursor"]

    async def cancel(self, id: str) -> Found:
        """Call back what of ``id`` still waits."""
        return cast(Found, await self._ask("DELETE", f"/sms/{id}"))

    async def replay(self, id: str) -> Found:
        """Queue what of ``id`` is dead again."""
        return cast(Found, await self._ask("POST", f"/sms/{id}/replay"))

    async def replay_all(self, **filters: str) -> int:
        """Queue every dead message that ``filters`` admit again; answers how many."""
        count: int = (await self._ask("POST", "/sms/replay", json=filters))["count"]
        return count

    async def close(self) -> None:
        """Close the connections that are kept for later."""
        await self._pool.closeCachedConnections()

    async def _post(self, body: object, key: str | None) -> dict[str, Any]:
        headers = {"Idempotency-Key": key or self._new_key()}
        for _ in range(TRIES - 1):
            try:
                return await self._ask("POST", "/sms", json=body, headers=headers)
            except _UNANSWERED:
                await deferLater(self._reactor, PAUSE_S)
        return await self._ask("POST", "/sms", json=body, headers=headers)

    async def _ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> dict[str, Any]:
        answer = await self._http.request(
            method,
            self._url + path,
            headers=Headers({name: [value] for name, value in {**self._headers, **(headers or {})}.items()}),
            allow_redirects=False,  # the key is for this address alone
            timeout=self._timeout_s,
            reactor=self._reactor,
            **more,
        )
        body = _read(await answer.content())
        if answer.code != 200 or "status" not in body:
            after = answer.headers.getRawHeaders("Retry-After", [""])[0]
            raise NotTaken(answer.code, body, int(after) if after.isdigit() else None)
        return body


def _read(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    # Something between smsd and us may answer with a page of its own.
    return body if isinstance(body, dict) else {"message": raw.decode("utf-8", "replace")}
