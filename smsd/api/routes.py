"""The HTTP routes of smsd."""

from collections.abc import Callable
from typing import Final

from klein import Klein
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from smsd.api.auth import Keyring
from smsd.api.problems import Answer, NotJson, answer_to, ok
from smsd.api.validation import SmsBody
from smsd.api.view import moment, shown
from smsd.pipeline.intake import Intake
from smsd.ports import ILedger

_JSON_TYPE: Final = b"application/json"


class Api:
    """Accepts SMS and answers for them."""

    app = Klein()
    _log = Logger()

    def __init__(
        self,
        *,
        intake: Intake,
        ledger: ILedger,
        keyring: Keyring,
        now: Callable[[], float],
        trouble: Callable[[], str],
    ) -> None:
        """``trouble`` says why messages cannot be taken or sent right now, and is empty while they can."""
        self._intake = intake
        self._ledger = ledger
        self._keyring = keyring
        self._now = now
        self._trouble = trouble
        self._body = SmsBody()

    @app.route("/sms", methods=["POST"])
    async def post_sms(self, request: IRequest) -> bytes:
        """Take one SMS: 200 once it is durable."""
        api_key = self._authorised(request)
        if _media_type(request) != _JSON_TYPE:
            raise NotJson
        submission = self._body.parse(request.content.read(), self._now())
        receipt = await self._intake.accept(submission, api_key)
        message = receipt.message
        body = ok(
            "Your SMS is being handled",
            id=message.id,
            segments=message.segments,
            position=receipt.position,
            eta=moment(receipt.eta),
        )
        return _answered(request, Answer(code=200, body=body, headers={"Location": f"/sms/{message.id}"}))

    @app.route("/sms/<id>", methods=["GET"])
    async def get_sms(self, request: IRequest, id: str) -> bytes:
        """Show one SMS."""
        self._authorised(request)
        return _answered(request, Answer(code=200, body=shown(await self._ledger.find(id))))

    @app.route("/health", methods=["GET"])
    def get_health(self, request: IRequest) -> bytes:
        """Say that the process works; open to all."""
        return _answered(request, Answer(code=200, body=ok("smsd is working")))

    @app.route("/ready", methods=["GET"])
    def get_ready(self, request: IRequest) -> bytes:
        """Say whether messages are taken and sent right now; open to all."""
        trouble = self._trouble()
        if trouble:
            return _answered(request, Answer(code=503, body={"message": trouble, "status": "error"}))
        return _answered(request, Answer(code=200, body=ok("smsd takes and sends messages")))

    @app.handle_errors(Exception)
    def problem(self, request: IRequest, failure: Failure) -> bytes:
        """Answer whatever went wrong; every known error has an answer of its own."""
        answer = answer_to(failure.value)
        if answer.code == 500:
            self._log.failure("a request broke", failure)
        return _answered(request, answer)

    def _authorised(self, request: IRequest) -> str:
        return self._keyring.name_of(request.getHeader("x-api-key"))


def _media_type(request: IRequest) -> bytes:
    declared: bytes = request.requestHeaders.getRawHeaders(b"content-type", [b""])[0]
    return declared.partition(b";")[0].strip().lower()


def _answered(request: IRequest, answer: Answer) -> bytes:
    request.setResponseCode(answer.code)
    request.setHeader("Content-Type", "application/json")
    for name, value in answer.headers.items():
        request.setHeader(name, value)
    return answer.encoded()
