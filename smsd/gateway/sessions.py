"""A session for each thread that asks a provider."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from smsd.gateway.session import Clock, WatchedSession

#: Seconds; providers and their load balancers close idle connections, and one that is closed just as it is used again
#: looks as if the provider had not answered.
IDLE_S: Final = 4.0


class Sessions:
    """Shared by threads, each of which has a session of its own; ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._local = threading.local()
        self._sessions: set[WatchedSession] = set()

    def not_after(self, by: float) -> None:
        """Let the next request of this thread fail if it has not gone out ``by`` then (monotonic seconds)."""
        self._local.by = by

    @contextmanager
    def lend(self) -> Iterator[WatchedSession]:
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
