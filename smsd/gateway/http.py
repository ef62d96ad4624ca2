"""Asks MessageBird through its SDK, over an HTTP client of our own."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import attrs
from messagebird import Client, ErrorException
from messagebird.client import USER_AGENT
from messagebird.http_client import ResponseFormat
from messagebird.serde import json_serialize
from urllib3 import BaseHTTPResponse

from smsd.gateway.answers import Failure
from smsd.gateway.reply import Reply, from_json
from smsd.gateway.session import TROUBLE, Clock, failure_of
from smsd.gateway.sessions import Sessions

#: Seconds to wait for a connection.
CONNECT_S: Final = 5.0
#: Octets of an answer that are read.
MAX_ANSWER: Final = 1 << 20
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


# These two go from our client through the SDK to ask(), and no further: so they are not of smsd's own tree.
@attrs.frozen
class Broken(Exception):
    """There is no whole answer."""

    failure: Failure


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
        self._within = {"connect_s": connect_s, "read_s": read_s}
        self._sessions = Sessions(clock)

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
        with self._sessions.lend() as session:
            try:
                target = f"{urlsplit(self._url).path.rstrip('/')}/{path.lstrip('/')}"
                if params and body is None:
                    target += f"?{urlencode(params)}"
                response = session.request(method, self._url, target, headers=self._headers, body=body, **self._within)
                content = _content(response)
            except TROUBLE as trouble:
                # From None: the trouble's own words hold the address, and with it a phone number.
                raise Broken(failure_of(trouble, session.progress)) from None
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


def _content(response: BaseHTTPResponse) -> bytes:
    """The whole body, after which urllib3 has the connection back. Raises Broken if it is too big."""
    content = response.read(MAX_ANSWER + 1, decode_content=True)
    if len(content) > MAX_ANSWER:
        response.close()
        raise Broken(Failure.TOO_BIG)
    return content
