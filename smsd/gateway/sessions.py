"""Asks a provider from many threads, each of which has a session of its own."""

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import attrs
from urllib3 import BaseHTTPResponse

from smsd.gateway.answers import Failure
from smsd.gateway.session import TROUBLE, Clock, WatchedSession, failure_of

#: Seconds to wait for a connection.
CONNECT_S: Final = 5.0
#: Octets of an answer that are read.
MAX_ANSWER: Final = 1 << 20
#: Seconds; providers and their load balancers close idle connections, and one that is closed just as it is used again
#: looks as if the provider had not answered.
IDLE_S: Final = 4.0


# It goes from here through an SDK to whoever asked it, and no further: so it is not of smsd's own tree.
@attrs.frozen
class Broken(Exception):
    """There is no whole answer."""

    failure: Failure


class Sessions:
    """Shared by threads; ``clock`` is monotonic, in seconds.

    ``read_s`` bounds a whole answer, ``connect_s`` the connection (seconds).
    """

    def __init__(self, clock: Clock, *, read_s: float, connect_s: float = CONNECT_S) -> None:
        self._clock = clock
        self._within = {"connect_s": connect_s, "read_s": read_s}
        self._local = threading.local()
        self._sessions: set[WatchedSession] = set()

    def ask(
        self, method: str, address: str, target: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[BaseHTTPResponse, bytes]:
        """The answer to one request, and its whole body. Raises Broken.

        ``target``, path and query, lies below the path of ``address``.
        """
        with self._lent() as session:
            try:
                whole = f"{urlsplit(address).path.rstrip('/')}/{target.lstrip('/')}"
                response = session.request(method, address, whole, headers=headers, body=body, **self._within)
                content = response.read(MAX_ANSWER + 1, decode_content=True)
            except TROUBLE as trouble:
                # From None: the trouble's own words hold the address, and with it a phone number.
                raise Broken(failure_of(trouble, session.progress)) from None
            if len(content) > MAX_ANSWER:
                response.close()
                raise Broken(Failure.TOO_BIG)
        return response, content

    def not_after(self, by: float) -> None:
        """Let the next request of this thread fail if it has not gone out ``by`` then (monotonic seconds)."""
        self._local.by = by

    @contextmanager
    def _lent(self) -> Iterator[WatchedSession]:
        """This thread's session, or a new one; it lives on only if all goes well."""
        session = self._local.__dict__.pop("session", None)
        if session is not None and self._clock() - session.used_at > IDLE_S:
            self._drop(session)
            session = None
        if session is None:
            session = WatchedSession(self._clock)
            self._sessions.add(session)
        session.progress.went_out = False
        session.progress.by = self._local.__dict__.pop("by", math.inf)
        well = False
        try:
            yield session
            well = True
        finally:
            if well:
                session.used_at = self._clock()
                self._local.session = session
            else:
                self._drop(session)

    def close(self) -> None:
        """Close the connections of all threads; only once none of them is asking."""
        while self._sessions:
            self._sessions.pop().close()

    def _drop(self, session: WatchedSession) -> None:
        self._sessions.discard(session)
        session.close()
