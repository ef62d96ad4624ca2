"""The routes of the dashboard that change something."""

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from smsd.api.dashboard.deeds import Deeds
from smsd.api.dashboard.entrance import Entrance
from smsd.api.dashboard.frame import Frame
from smsd.api.dashboard.trial import measured, send, told
from smsd.api.dashboard.web import arguments, redirect
from smsd.api.posting import Posting
from smsd.api.validation import InvalidBody
from smsd.core.key import Role


class Doing:
    """Asks before it does, and sends test messages."""

    app = Klein()

    def __init__(self, *, entrance: Entrance, frame: Frame, deeds: Deeds, posting: Posting) -> None:
        self._entrance = entrance
        self._frame = frame
        self._deeds = deeds
        self._posting = posting

    @app.route("/held", methods=["GET"])
    async def held(self, request: IRequest) -> bytes:
        """What may be done with what is held since an outage."""
        session = self._entrance.session(request, Role.OPERATE)
        expire = await self._deeds.ask("expire-held", {})
        return self._frame.page(request, session, "held", is_empty=expire.is_empty, since=self._deeds.choices())

    @app.route("/test", methods=["GET"])
    def ask_test(self, request: IRequest) -> bytes:
        """A form for a test message."""
        session = self._entrance.session(request, Role.SEND)
        return self._frame.page(request, session, "test", form={}, problems={}, measured=measured(""))

    @app.route("/test", methods=["POST"])
    async def test(self, request: IRequest) -> bytes:
        """Send a test message."""
        form = self._entrance.form(request, Role.SEND)
        session = self._entrance.session(request)
        try:
            id = await send(self._posting, form, session.holder.name)
        except InvalidBody as invalid:
            request.setResponseCode(400)
            takes = measured(form.get("message", ""))
            return self._frame.page(request, session, "test", form=form, problems=told(invalid), measured=takes)
        session.told = "The test message is queued."
        return redirect(request, f"/dashboard/messages/{id}")

    @app.route("/segments", methods=["POST"])
    def segments(self, request: IRequest) -> bytes:
        """What a text takes, for the form that it is written in."""
        form = self._entrance.form(request, Role.SEND)
        return self._frame.json(request, measured(form.get("message", "")))

    @app.route("/<deed>", methods=["GET"])
    async def ask(self, request: IRequest, deed: str) -> bytes:
        """The question before something is done."""
        session = self._entrance.session(request, Role.OPERATE)
        question = await self._deeds.ask(deed, arguments(request))
        return self._frame.page(request, session, "question", deed=deed, question=question)

    @app.route("/<deed>", methods=["POST"])
    async def do(self, request: IRequest, deed: str) -> bytes:
        """Do what was asked about."""
        form = self._entrance.form(request, Role.OPERATE)
        session = self._entrance.session(request)
        session.told = await self._deeds.do(deed, form)
        return redirect(request, f"/dashboard/messages/{form['id']}" if "id" in form else "/")

    @app.handle_errors(Exception)
    def problem(self, request: IRequest, failure: Failure) -> bytes:
        """A page for whatever went wrong."""
        return self._frame.problem(request, failure)
