"""The routes of the dashboard."""

from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from twisted.web.server import Request
from werkzeug.exceptions import NotFound

from smsd.api.dashboard.doing import Doing
from smsd.api.dashboard.entrance import Entrance
from smsd.api.dashboard.frame import Frame
from smsd.api.dashboard.live import Live
from smsd.api.dashboard.look import Look
from smsd.api.dashboard.paint import Paint
from smsd.api.dashboard.search import read_search
from smsd.api.dashboard.session import SignedOut
from smsd.api.dashboard.sight import Sight
from smsd.api.dashboard.web import arguments, header, redirect, write_headers
from smsd.api.problems import ok
from smsd.api.queries import cursor
from smsd.core.errors import UnknownMessage
from smsd.pipeline.arrival import Arrivals
from smsd.pipeline.operations import Operations
from smsd.ports import ILedger

#: The files that pages load.
_STATIC: Final = {
    "dashboard.css": "text/css; charset=utf-8",
    "dashboard.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Dashboard:
    """A page for people, beside the API for programs."""

    app = Klein()

    def __init__(
        self,
        *,
        entrance: Entrance,
        paint: Paint,
        frame: Frame,
        look: Look,
        live: Live,
        doing: Doing,
        operations: Operations,
        arrivals: Arrivals,
        ledger: ILedger,
    ) -> None:
        self._entrance = entrance
        self._paint = paint
        self._frame = frame
        self._look = look
        self._live = live
        self._doing = doing
        self._operations = operations
        self._arrivals = arrivals
        self._ledger = ledger
        folder = files("smsd.api.dashboard").joinpath("static")
        self._static = {name: folder.joinpath(name).read_bytes() for name in _STATIC}

    def front(self, request: IRequest) -> Deferred[bytes]:
        """The answer to ``GET /``: the front page, the form to sign in, or a few words for a program."""
        return Deferred.fromCoroutine(self._front(request)).addErrback(partial(self._frame.problem, request))

    def stop(self) -> None:
        """End what is told live."""
        self._live.stop()

    async def _front(self, request: IRequest) -> bytes:
        if "application/json" in header(request, "Accept") and "text/html" not in header(request, "Accept"):
            return self._frame.json(request, ok("smsd is working", api="/sms", health="/health", ready="/ready"))
        session = self._entrance.session(request)
        parts = self._paint.parts(await self._look.take(), Sight.of(session.holder))
        return self._frame.page(request, session, "home", parts=parts)

    @app.route("/", methods=["GET"])
    def root(self, request: IRequest) -> bytes:
        """The front page stands at ``/``."""
        return redirect(request, "/")

    @app.route("/sign-in", methods=["POST"])
    def sign_in(self, request: IRequest) -> bytes:
        """Begin a session."""
        self._entrance.sign_in(request)
        return redirect(request, "/")

    @app.route("/sign-out", methods=["POST"])
    def sign_out(self, request: IRequest) -> bytes:
        """End the session."""
        self._entrance.sign_out(request)
        return redirect(request, "/")

    @app.route("/static/<name>", methods=["GET"])
    def static(self, request: IRequest, name: str) -> bytes:
        """A file that pages load; open to all."""
        if name not in self._static:
            raise NotFound
        write_headers(request, _STATIC[name])
        request.setHeader("Cache-Control", "max-age=60")
        return self._static[name]

    @app.route("/live", methods=["GET"])
    def live(self, request: Request) -> Deferred[bytes]:
        """What changes on the front page, as it changes."""
        _ = self._entrance.session(request)
        write_headers(request, "text/event-stream")
        request.setHeader("X-Accel-Buffering", "no")
        return self._live.join(request, partial(self._sight, request))

    @app.route("/messages", methods=["GET"])
    async def messages(self, request: IRequest) -> bytes:
        """What a search finds, newest first, a page at a time."""
        session = self._entrance.session(request)
        search = read_search(arguments(request))
        if search.id and await self._is_known(search.id):
            return redirect(request, f"/dashboard/messages/{search.id}")
        page = await self._ledger.search(search.query)
        more = cursor(page.before)
        found: Mapping[str, Any] = {
            "messages": page.messages,
            "search": search,
            "following": None if more is None else "?" + urlencode({**search.given, "cursor": more}),
            "replay": f"/dashboard/do/replay?{urlencode(search.replayable)}",
        }
        return self._frame.page(request, session, "messages", **found)

    @app.route("/messages/<id>", methods=["GET"])
    async def message(self, request: IRequest, id: str) -> bytes:
        """One message with its history, or a broadcast with its parts."""
        session = self._entrance.session(request)
        messages = await self._operations.find(id)
        arrival = await self._arrivals.of(messages)
        return self._frame.page(request, session, "message", id=id, messages=messages, arrival=arrival)

    @app.route("/do/", branch=True)
    def do(self, request: IRequest) -> IResource:
        """What changes something."""
        return self._doing.app.resource()

    @app.handle_errors(Exception)
    def problem(self, request: IRequest, failure: Failure) -> bytes:
        """A page for whatever went wrong."""
        return self._frame.problem(request, failure)

    def _sight(self, request: IRequest) -> Sight | None:
        try:
            return Sight.of(self._entrance.session(request).holder)
        except SignedOut:
            return None

    async def _is_known(self, id: str) -> bool:
        try:
            return bool(await self._operations.find(id))
        except UnknownMessage:
            return False
