"""Decides whether a client may ask at all: by key, by balance and by rate."""

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from smsd.sandbox.problems import Refusal

WINDOW_S: Final = 1.0  # MessageBird, rate limits: requests a second


class RequestLimit:
    """At most ``limit`` requests in any second; what it turns away does not count."""

    def __init__(self, limit: int, seconds: Callable[[], float]) -> None:
        """Limit by ``seconds``, a clock of which only differences matter."""
        self._limit = limit
        self._seconds = seconds
        self._admitted: deque[float] = deque()

    def admit(self) -> None:
        """Let one request in. Raises Refusal (429)."""
        now = self._seconds()
        while self._admitted and now - self._admitted[0] >= WINDOW_S:
            self._admitted.popleft()
        if len(self._admitted) >= self._limit:
            raise Refusal(429)
        self._admitted.append(now)


@attrs.define(kw_only=True)
class Account:
    """The one customer of the sandbox."""

    access_key: str
    posts: RequestLimit  #: for sending
    gets: RequestLimit  #: for all the rest
    valid: bool = True  #: whether the key opens anything
    sufficient: bool = True  #: whether there is balance for one more message

    def authorise(self, access_key: str) -> None:
        """Check a key. Raises Refusal (401)."""
        if not self.valid or access_key != self.access_key:
            raise Refusal(401)

    def charge(self) -> None:
        """Pay for a message. Raises Refusal (402)."""
        if not self.sufficient:
            raise Refusal(402)

    def balance(self) -> dict[str, str | float]:
        """Tell the balance as ``GET /balance`` does."""
        return {"payment": "prepaid", "type": "credits", "amount": 42.5 if self.sufficient else 0.0}

    def restore(self) -> None:
        """Make key and balance good again."""
        self.valid = self.sufficient = True
