"""Asks MessageBird through its SDK, over an HTTP client of our own."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs
from messagebird import Client, ErrorException
from messagebird.client import USER_AGENT
from messagebird.http_client import ResponseFormat
from messagebird.serde import json_serialize

from smsd.gateway.answers import Failure
from smsd.gateway.reply import Reply, from_json
from smsd.gateway.session import Clock
from smsd.gateway.sessions import CONNECT_S, Broken, Sessions

#: ``identity``: a small answer is not worth unpacking, and a packed one may be a bomb.
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json; charset=UTF-8",
    "User-Agent": USER_AGENT,
}


def ask(client: Client, method: str, path: str, params: Callable[[], dict[str, Any]] = dict) -> Reply | Failure:
    """Ask for ``path`` through the SDK's ``request``; blocks, never raises.

    Not ``message_create``: that parses a date for each recipient (1.5 ms for 50, holding the GIL), none of which is
    used here: 330 requests a second at most, against 566.
    """
    try:
        return Reply(status=200, decoded=client.request(path, method, params()))
    except Broken as broken:
        return broken.failure
    except Declined as declined:
        headers = {"retry_after": declined.retry_after, "date": declined.date}
        return Reply(status=declined.status, decoded=from_json(declined.body), **headers)
    except ErrorException as refused:  # within a success: our client raises Declined for all else
        return Reply(status=200, decoded={"errors": [vars(error) for error in refused.errors]})
    except Exception:  # noqa: BLE001
        # The one broad catch: the SDK decodes what it gets without looking (JSONDecodeError, TypeError,
        # AttributeError, KeyError, RecursionError), and by then the provider may have the message. Whatever it is,
        # nobody knows whether the message was taken; its words may quote the answer, so they are left out.
        return Failure.UNREADABLE


# As Broken is.
@attrs.frozen(kw_only=True)
class Declined(Exception):
    """The provider answered something other than success."""

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: str = ""  #: the header as it came
    date: str = ""  #: the header as it came

    def __str__(self) -> str:
        return f"status {self.status}"


class SessionClient:
    """Makes one request each time it is asked; shared by threads, each of which has a session of its own.

    ``read_s`` bounds the whole answer, ``connect_s`` the connection (seconds); ``clock`` is monotonic, in seconds.
    """

    def __init__(self, url: str, key: str, *, read_s: float, clock: Clock, connect_s: float = CONNECT_S) -> None:
        self._url = url
        self._headers = {**_HEADERS, "Authorization": f"AccessKey {key}"}
        self._sessions = Sessions(clock, read_s=read_s, connect_s=connect_s)

    def request(
        self,
        path: str,
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        format: ResponseFormat = ResponseFormat.text,
    ) -> str | bytes:
        """The body of a 2xx answer; the signature is the SDK's. Raises Broken and Declined."""
        try:
            body = None if method == "GET" else json_serialize(params or {})
        except UnicodeEncodeError:  # a lone surrogate
            raise Broken(Failure.UNWRITABLE) from None
        query = f"?{urlencode(params)}" if params and body is None else ""
        response, content = self._sessions.ask(method, self._url, path + query, headers=self._headers, body=body)
        if not 200 <= response.status < 300:
            retry_after, date = (response.headers.get(name, "") for name in ("Retry-After", "Date"))
            raise Declined(status=response.status, body=content, retry_after=retry_after, date=date)
        return content if format is ResponseFormat.binary else content.decode("utf-8", "replace")

    def not_after(self, by: float) -> None:
        """See Sessions."""
        self._sessions.not_after(by)

    def close(self) -> None:
        """Close the connections of all threads; only once none of them is asking."""
        self._sessions.close()
