"""The HTTP routes of smsd."""

from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource

from smsd.api.auth import Forbidden, Gate, must
from smsd.api.dashboard.pages import Dashboard
from smsd.api.door import JSON_TYPE, Door, headers_of, media_type
from smsd.api.held import Held
from smsd.api.hooks import Hooks
from smsd.api.keys import Keys
from smsd.api.problems import Answer, NotJson, fitting, ok
from smsd.api.queries import REPLAYABLE, cursor, read_query
from smsd.api.readiness import Readiness
from smsd.api.upload import first_line
from smsd.api.validation import InvalidBody, Problem, read_json
from smsd.core.key import Holder, Role
from smsd.core.message import Message
from smsd.core.moment import moment
from smsd.core.view import received_facts, shown, shown_whole
from smsd.pipeline.arrival import Arrivals
from smsd.pipeline.operations import Operations
from smsd.ports import ICallbackQueue, ILedger

if TYPE_CHECKING:
    from smsd.api.manual import Manual


class Api:
    """Accepts SMS and answers for them."""

    app = Klein()

    def __init__(
        self,
        *,
        door: Door,
        ledger: ILedger,
        operations: Operations,
        arrivals: Arrivals,
        queue: ICallbackQueue,
        hooks: Hooks,
        gate: Gate,
        keys: Keys,
        dashboard: Dashboard,
        readiness: Readiness,
        render: Callable[[str], Coroutine[Deferred[Any], Any, tuple[str, bytes]]],
    ) -> None:
        """``render`` gives content type and body of the metrics for an ``Accept``."""
        self._door = door
        self._held = Held(operations)
        self._arrivals = arrivals
        self._queue = queue
        self._ledger = ledger
        self._operations = operations
        self._hooks = hooks
        self._gate = gate
        self._keys = keys
        self._dashboard = dashboard
        self._readiness = readiness
        self._render = render

    @app.route("/sms", methods=["POST"])
    async def post_sms(self, request: IRequest) -> bytes:
        """Take one SMS, an array or a broadcast: 200 once all of it is durable."""
        if b"line" in request.args:
            _ = first_line(request.uri.partition(b"?")[2])  # what is wrong there is refused, whatever the body is
        posted = Deferred[Answer]()  # Klein cancels it when the client leaves: what he posted is kept all the same
        self._door.posted(headers_of(request), request.content.read(), request.getClientAddress, posted.callback)
        return _answered(request, await posted)

    @app.route("/sms/<id>", methods=["GET"])
    async def get_sms(self, request: IRequest, id: str) -> bytes:
        """Show one SMS, and when it should go."""
        holder = self._holder(request)
        messages = await self._operations.find(id)
        if not holder.may(Role.READ) and any(message.api_key != holder.name for message in messages):
            raise Forbidden(Role.READ)
        arrival = await self._arrivals.of(messages)
        when = {} if arrival is None else {"position": arrival.position, "eta": moment(arrival.eta)}
        return _answered(request, Answer(code=200, body=shown_whole(id, messages) | when))

    @app.route("/sms", methods=["GET"])
    async def get_all_sms(self, request: IRequest) -> bytes:
        """List SMS, newest first, a page at a time."""
        self._holder(request, Role.READ)
        page = await self._ledger.search(read_query(_arguments(request)))
        found = [shown(message) for message in page.messages]
        return _answered(request, Answer(code=200, body=ok("Your SMS", sms=found, cursor=cursor(page.before))))

    @app.route("/sms/<id>", methods=["DELETE"])
    async def delete_sms(self, request: IRequest, id: str) -> bytes:
        """Call one SMS back, while it waits."""
        holder = self._holder(request, Role.OPERATE)
        return _answered(request, _done(holder, id, await self._operations.cancel(id)))

    @app.route("/sms/<id>/replay", methods=["POST"])
    async def replay_sms(self, request: IRequest, id: str) -> bytes:
        """Queue one dead SMS again."""
        holder = self._holder(request, Role.OPERATE)
        return _answered(request, _done(holder, id, await self._operations.replay(id)))

    @app.route("/sms/replay", methods=["POST"])
    async def replay_many(self, request: IRequest) -> bytes:
        """Queue again every dead SMS that a filter admits."""
        self._holder(request, Role.OPERATE)
        _must_be_json(request)
        given = read_json(request.content.read())
        if not isinstance(given, dict):
            raise InvalidBody(Problem(pointer="", message="The body is invalid: 'Must be a JSON object'"))
        count = await self._operations.replay_all(read_query(given, only=REPLAYABLE))
        return _answered(request, Answer(code=200, body=ok("The dead letters are queued again", count=count)))

    @app.route("/held", methods=["POST"])
    async def release_held(self, request: IRequest) -> bytes:
        """Send or expire what is held since an outage, at an operator's word."""
        self._holder(request, Role.OPERATE)
        _must_be_json(request)
        return _answered(request, await self._held.take(read_json(request.content.read())))

    @app.route("/inbound", methods=["GET"])
    async def get_inbound(self, request: IRequest) -> bytes:
        """List incoming messages, newest first, a page at a time."""
        self._holder(request, Role.READ)
        query = read_query(_arguments(request), only={"limit", "cursor"})
        received, before = await self._queue.received(query.limit, query.before)
        body = ok("Incoming messages", inbound=[received_facts(each) for each in received], cursor=cursor(before))
        return _answered(request, Answer(code=200, body=body))

    @app.route("/keys", methods=["GET"])
    def get_keys(self, request: IRequest) -> bytes:
        """List the API keys, but not what they are."""
        self._holder(request, Role.OPERATE)
        return _answered(request, self._keys.list())

    @app.route("/keys", methods=["POST"])
    async def post_key(self, request: IRequest) -> bytes:
        """Make an API key."""
        maker = self._holder(request, Role.OPERATE)
        _must_be_json(request)
        return _answered(request, await self._keys.make(read_json(request.content.read()), maker))

    @app.route("/keys/<name>", methods=["DELETE"])
    async def delete_key(self, request: IRequest, name: str) -> bytes:
        """Revoke an API key."""
        self._holder(request, Role.OPERATE)
        return _answered(request, await self._keys.revoke(name))

    @app.route("/messagebird/status", methods=["GET", "POST"])
    async def status_report(self, request: IRequest) -> bytes:
        """Take a status report from the provider; its signature is its key."""
        return _answered(request, await self._hooks.status(request))

    @app.route("/messagebird/inbound", methods=["GET", "POST"])
    async def incoming(self, request: IRequest) -> bytes:
        """Take an incoming message from the provider; its signature is its key."""
        return _answered(request, await self._hooks.inbound(request))

    @app.route("/bird/events", methods=["POST"])
    async def bird_event(self, request: IRequest) -> bytes:
        """Take an event from the provider's successor; its signature is its key."""
        return _answered(request, await self._hooks.event(request))

    @app.route("/health", methods=["GET"])
    def get_health(self, request: IRequest) -> bytes:
        """Say that the process works; open to all."""
        return _answered(request, Answer(code=200, body=ok("smsd is working")))

    @app.route("/ready", methods=["GET"])
    def get_ready(self, request: IRequest) -> bytes:
        """Say whether messages are taken and sent right now; open to all."""
        return _answered(request, self._readiness.look())

    @app.route("/metrics", methods=["GET"])
    async def get_metrics(self, request: IRequest) -> bytes:
        """Show the metrics, for Prometheus; open to all, and without anything private."""
        accept = request.requestHeaders.getRawHeaders(b"accept", [b""])[0].decode("latin-1")
        content_type, body = await self._render(accept)
        return _written(request, content_type, body)

    @cached_property
    def _manual(self) -> "Manual":
        from smsd.api.manual import Manual  # takes time and memory, so only once somebody wants to read it

        return Manual()

    @app.route("/openapi.json", methods=["GET"])
    def get_openapi(self, request: IRequest) -> bytes:
        """Show the API as OpenAPI describes it; open to all."""
        return _written(request, "application/json", self._manual.document)

    @app.route("/docs", methods=["GET"])
    def get_docs(self, request: IRequest) -> bytes:
        """Show the same as a page; open to all."""
        request.setHeader("Content-Security-Policy", self._manual.policy)
        return _written(request, "text/html; charset=utf-8", self._manual.page)

    @app.route("/", methods=["GET"])
    @app.route("/dashboard", methods=["GET"])
    def front(self, request: IRequest) -> Deferred[bytes]:
        """Show the dashboard to people; it asks for a key itself."""
        return self._dashboard.front(request)

    @app.route("/dashboard/", branch=True, strict_slashes=False)
    def dashboard(self, request: IRequest) -> IResource:
        """The pages behind it."""
        return self._dashboard.app.resource()

    @app.handle_errors(Exception)
    def problem(self, request: IRequest, failure: Failure) -> bytes:
        """Answer whatever went wrong; every known error has an answer of its own."""
        return _answered(request, self._door.answer_to(failure))

    def _holder(self, request: IRequest, role: Role | None = None) -> Holder:
        given = request.requestHeaders.getRawHeaders(b"x-api-key", [b""])[0]
        holder = self._gate.holder(given, request.getClientAddress())
        if role is not None:
            must(holder, role)
        return holder


def _done(holder: Holder, id: str, messages: Sequence[Message]) -> Answer:
    whole = shown_whole(id, messages)
    if not holder.may(Role.READ):
        whole = ok("It is done", id=id, state=whole["state"])
    return Answer(code=200, body=whole)


def _must_be_json(request: IRequest) -> None:
    if media_type(request.requestHeaders.getRawHeaders(b"content-type", [b""])[0]) != JSON_TYPE:
        raise NotJson


def _arguments(request: IRequest) -> dict[str, str]:
    """The query string; of a name that stands twice the last value."""
    given = ((name, values[-1]) for name, values in request.args.items())
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in given}


def _answered(request: IRequest, answer: Answer) -> bytes:
    answer = fitting(answer, ",".join(request.requestHeaders.getRawHeaders("accept", [])))
    request.setResponseCode(answer.code)
    request.setHeader("Content-Type", answer.content_type)
    for name, value in answer.headers.items():
        request.setHeader(name, value)
    return answer.encoded()


def _written(request: IRequest, content_type: str, body: bytes) -> bytes:
    request.setHeader("Content-Type", content_type)
    return body
