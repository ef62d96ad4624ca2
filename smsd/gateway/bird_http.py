"""Asks Bird through its SDK, over an HTTP client of our own."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import httpx

from smsd.gateway.answers import Failure
from smsd.gateway.bird_sdk import Bird, BirdError
from smsd.gateway.reply import Reply, from_json
from smsd.gateway.session import Clock
from smsd.gateway.sessions import Broken, Sessions

#: The headers of an answer that anybody looks at; the rest, cookies among them, goes no further.
_HEADERS: Final = ("Content-Type", "Date", "Retry-After", "X-Request-Id")


class BirdClient:
    """Asks one thing at a time in each thread that uses it; blocks, never raises, never tries twice.

    Its SDK builds and addresses the requests; what comes back is decoded here, because the SDK refuses a whole answer
    over any field that has changed: the id in it would be lost, and the message be in doubt for no reason.
    """

    def __init__(self, key: str, url: str | None, *, read_s: float, clock: Clock) -> None:
        """``url`` is None for the SDK's own, by the region in the ``key``; ``read_s`` bounds an answer (seconds)."""
        self._transport = SessionTransport(read_s=read_s, clock=clock)
        # Nothing from the environment: no proxy, no ~/.netrc, and none of the SDK's labels of who runs it.
        http = httpx.Client(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},  # a packed answer may be a bomb
        )
        labels = {"Bird-Enrichment": "0"}
        self._sdk = Bird(api_key=key, base_url=url, max_retries=0, http_client=http, default_headers=labels)

    def post(self, path: str, body: Mapping[str, Any], key: str, by: float) -> Reply | Failure:
        """Send ``body`` under the idempotency key ``key``, not after ``by`` (monotonic seconds)."""
        try:
            json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # a lone surrogate
            return Failure.UNWRITABLE
        self._transport.not_after(by)
        return _reply(lambda: self._sdk.request("POST", path, body=dict(body), idempotency_key=key))

    def get(self, path: str, query: Mapping[str, str]) -> Reply | Failure:
        """Ask for ``path`` with ``query``."""
        return _reply(lambda: self._sdk.request("GET", path, extra_query=query))

    def close(self) -> None:
        """Close the connections of all threads; only once none of them is asking."""
        self._transport.close()


def _reply(request: Callable[[], httpx.Response]) -> Reply | Failure:
    try:
        response = request()
    except Broken as broken:
        return broken.failure
    except Answered as answered:
        response = answered.response
    except (BirdError, httpx.HTTPError, httpx.InvalidURL, ValueError):
        return Failure.UNREADABLE
    retry_after, date = (response.headers.get(name, "") for name in ("Retry-After", "Date"))
    return Reply(status=response.status_code, decoded=from_json(response.content), retry_after=retry_after, date=date)


# It goes from our transport through the SDK to _reply(), and no further: so it is not of smsd's own tree.
@attrs.frozen
class Answered(Exception):
    """The provider answered something other than success."""

    response: httpx.Response = attrs.field(repr=False)


class SessionTransport(httpx.BaseTransport):
    """Makes the SDK's requests with sessions of our own, one a thread, each with a connection that it keeps.

    ``read_s`` bounds the whole answer (seconds); ``clock`` is monotonic, in seconds.
    """

    def __init__(self, *, read_s: float, clock: Clock) -> None:
        self._sessions = Sessions(clock, read_s=read_s)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to ``request`` if it is a success. Raises Answered with any other, and Broken."""
        answer, content = self._sessions.ask(
            request.method,
            f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
            request.url.raw_path.decode("ascii"),
            headers=dict(request.headers),
            body=request.read(),
        )
        # As octets: of a text httpx would want ASCII, and the provider has the message by now.
        told = {name.encode(): answer.headers[name].encode("latin-1") for name in _HEADERS if name in answer.headers}
        response = httpx.Response(answer.status, headers=told, content=content, request=request)
        if not response.is_success:
            raise Answered(response)
        return response

    def not_after(self, by: float) -> None:
        """See Sessions."""
        self._sessions.not_after(by)

    def close(self) -> None:
        """Close the connections of all threads; only once none of them is asking."""
        self._sessions.close()
