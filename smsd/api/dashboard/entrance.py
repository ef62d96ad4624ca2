"""Signs people in with an API key, and out."""

from twisted.web.iweb import IRequest

from smsd.api.auth import Forbidden, Gate, must
from smsd.api.dashboard.session import Session, Sessions
from smsd.api.dashboard.web import read_cookie, read_form, write_cookie
from smsd.core.key import Role


class Entrance:
    """Who may see the dashboard, and what they may do there."""

    def __init__(self, *, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self._sessions = sessions

    def sign_in(self, request: IRequest) -> None:
        """Begin a session for the key in the form.

        Raises TooManyGuesses, Unauthorised, Forged, and Forbidden for a key that may neither read nor operate.
        """
        key = read_form(request).get("key", "").strip()
        holder = self._gate.holder(key.encode(), request.getClientAddress())
        if not (holder.may(Role.READ) or holder.may(Role.OPERATE)):
            raise Forbidden(Role.READ)
        self._sessions.end(read_cookie(request))
        write_cookie(request, self._sessions.begin(holder))

    def sign_out(self, request: IRequest) -> None:
        """End the session of ``request``. Raises SignedOut and Forged."""
        _ = self.form(request)
        self._sessions.end(read_cookie(request))
        write_cookie(request, "")

    def session(self, request: IRequest, role: Role | None = None) -> Session:
        """Whose ``request`` this is. Raises SignedOut, and Forbidden unless its key is for ``role``."""
        session = self._sessions.of(read_cookie(request))
        if role is not None:
            must(session.holder, role)
        return session

    def form(self, request: IRequest, role: Role | None = None) -> dict[str, str]:
        """The fields of a form of this session, its token checked. Raises as ``session`` does, and Forged."""
        session = self.session(request, role)
        form = read_form(request)
        session.check(form.pop("csrf", ""))
        return form
