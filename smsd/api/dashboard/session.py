"""Knows who is signed in."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import attrs

from smsd.core.key import Holder

#: Seconds that a session lasts: a long night.
SESSION_S: Final = 12 * 3600.0
#: Sessions that are kept; beyond that the oldest ends.
MAX_SESSIONS: Final = 1000


class SignedOut(Exception):
    """There is no session, or it has ended."""


class Forged(Exception):
    """A form came without the token of its session, or from another site."""


@attrs.define(kw_only=True)
class Session:
    """Somebody who is signed in."""

    holder: Holder  #: as of now
    csrf: str = attrs.field(repr=False)  #: what each form of this session carries
    until: float  #: monotonic seconds
    told: str = ""  #: what the next page says once: what was just done

    def check(self, csrf: str) -> None:
        """Raises Forged unless ``csrf`` is the token of this session."""
        if not hmac.compare_digest(csrf.encode(), self.csrf.encode()):
            raise Forged


class Sessions:
    """The sessions by what their cookies hold; they live in memory and end with the process, or with their key."""

    def __init__(
        self,
        holder: Callable[[str], Holder | None],
        monotonic: Callable[[], float],
        token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        """``holder`` tells whose key a digest is of, if it is still one.

        ``monotonic`` is in seconds; ``token`` makes a text that nobody guesses.
        """
        self._holder = holder
        self._monotonic = monotonic
        self._token = token
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self, holder: Holder) -> str:
        """Sign ``holder`` in; answers what the cookie shall hold."""
        cookie = self._token()
        session = Session(holder=holder, csrf=self._token(), until=self._monotonic() + SESSION_S)
        self._sessions[_digest(cookie)] = session
        while len(self._sessions) > MAX_SESSIONS:
            _ = self._sessions.popitem(last=False)
        return cookie

    def of(self, cookie: str) -> Session:
        """The session whose cookie holds ``cookie``. Raises SignedOut."""
        digest = _digest(cookie)
        session = self._sessions.get(digest)
        if session is None:
            raise SignedOut
        holder = self._holder(session.holder.digest)
        if holder is None or self._monotonic() >= session.until:
            del self._sessions[digest]
            raise SignedOut
        session.holder = holder
        return session

    def end(self, cookie: str) -> None:
        """Sign out."""
        _ = self._sessions.pop(_digest(cookie), None)


def _digest(cookie: str) -> bytes:
    # So that looking one up takes as long whatever part of it was guessed.
    return hashlib.sha256(cookie.encode()).digest()
