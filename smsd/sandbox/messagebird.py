"""Serves MessageBird's classic REST API for SMS, and Bird's below ``/v1``, with a back door to see and set all."""

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from twisted.web.server import Request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from smsd.sandbox.account import Account, RequestLimit
from smsd.sandbox.answers import delivered, message_object
from smsd.sandbox.bird import BirdSandbox
from smsd.sandbox.listing import Listing
from smsd.sandbox.problems import Problem, Refusal
from smsd.sandbox.script import Behaviour, Ending, Script
from smsd.sandbox.store import MessageStore, StoredMessage
from smsd.sandbox.validation import read_message
from smsd.sandbox.wire import base_url, connection, fields, flag, query, refuse, reply

POSTS_PER_S: Final = 500  # MessageBird, rate limits
GETS_PER_S: Final = 50  # MessageBird, rate limits; here for all that is not a POST
SLOW_S: Final = 5.0


class MessageBirdSandbox:
    """A MessageBird with one customer, who gives ``deliver`` each message instead of a phone."""

    _app = Klein()

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float],
        deliver: Callable[[StoredMessage], object],
        access_key: str = "test_sandbox",
        posts_per_s: int = POSTS_PER_S,
        gets_per_s: int = GETS_PER_S,
        slow_s: float = SLOW_S,
    ) -> None:
        """Wait by ``clock``, and stamp messages by ``now`` (UTC epoch seconds)."""
        self._clock = clock
        self._now = now
        self._deliver = deliver
        self._slow_s = slow_s
        posts, gets = RequestLimit(posts_per_s, clock.seconds), RequestLimit(gets_per_s, clock.seconds)
        self._account = Account(access_key=access_key, posts=posts, gets=gets)
        self._store = MessageStore()
        self._script = Script()
        self._bird = BirdSandbox(
            clock=clock,
            now=now,
            take=self._take,
            account=self._account,
            store=self._store,
            script=self._script,
            slow_s=slow_s,
        )

    def resource(self) -> IResource:
        """Give the resource to serve, for a ``Site``."""
        resource: IResource = self._app.resource()
        return resource

    @_app.route("/messages", methods=["POST"], strict_slashes=False)
    async def _send(self, request: Request) -> bytes:
        arrived_at = self._now()
        self._admit(request, self._account.posts)
        message = read_message(fields(request), id=uuid4().hex, arrived_at=arrived_at)
        self._account.charge()
        behaviour = self._script.behaviour(message)
        if behaviour is None or behaviour.taken:
            self._take(message)
        answer = message_object(message, base_url(request), self._now())
        if behaviour is not None:
            return await self._misbehave(request, behaviour, answer)
        return reply(request, 201, answer)

    @_app.route("/messages", methods=["GET"], strict_slashes=False)
    def _list(self, request: Request) -> bytes:
        self._admit(request, self._account.gets)
        listing = Listing.read({name: value for name, value in query(request).items() if value})
        return reply(request, 200, listing.page(self._store, base_url(request), self._now()))

    @_app.route("/messages/<id>", methods=["GET"])
    def _show(self, request: Request, id: str) -> bytes:
        self._admit(request, self._account.gets)
        message = self._found(self._store.get(id))
        return reply(request, 200, message_object(message, base_url(request), self._now()))

    @_app.route("/messages/<id>", methods=["DELETE"])
    def _delete(self, request: Request, id: str) -> bytes:
        self._admit(request, self._account.gets)
        self._found(self._store.remove(id))
        request.setResponseCode(204)
        return b""

    @_app.route("/v1/", branch=True)
    def _successor(self, request: Request) -> IResource:
        return self._bird.resource()

    @_app.route("/balance", methods=["GET"])
    def _balance(self, request: Request) -> bytes:
        self._admit(request, self._account.gets)
        return reply(request, 200, self._account.balance())

    @_app.route("/sandbox/messages", methods=["GET"])
    def _delivered(self, request: Request) -> bytes:
        return reply(request, 200, delivered(self._store.oldest_first()))

    @_app.route("/sandbox/key", methods=["POST"])
    def _set_key(self, request: Request) -> bytes:
        self._account.valid = flag(request, "valid")
        return reply(request, 200, {"valid": self._account.valid})

    @_app.route("/sandbox/balance", methods=["POST"])
    def _set_balance(self, request: Request) -> bytes:
        self._account.sufficient = flag(request, "sufficient")
        return reply(request, 200, {"sufficient": self._account.sufficient})

    @_app.route("/sandbox/reset", methods=["POST"])
    def _reset(self, request: Request) -> bytes:
        self._store.clear()
        self._script.reset()
        self._bird.reset()
        self._account.restore()
        return reply(request, 200, {})

    @_app.handle_errors(Refusal)
    def _refuse(self, request: IRequest, failure: Failure) -> bytes:
        assert isinstance(failure.value, Refusal)
        return refuse(request, failure.value)

    @_app.handle_errors(NotFound, MethodNotAllowed)
    def _no_such_route(self, request: IRequest, failure: Failure) -> bytes:
        return refuse(request, Refusal(404 if failure.check(NotFound) else 405))

    def _admit(self, request: Request, limit: RequestLimit) -> None:
        """Check key and rate. Raises Refusal."""
        scheme, _, key = (request.getHeader("Authorization") or "").partition(" ")
        self._account.authorise(key if scheme == "AccessKey" else query(request).get("access_key", ""))
        limit.admit()

    def _take(self, message: StoredMessage) -> None:
        """Remember a message, and deliver it when its time has come."""
        self._store.add(message)
        if message.status(message.arrived_at) == "scheduled":
            assert message.scheduled_at is not None
            self._clock.callLater(message.scheduled_at - message.arrived_at, self._deliver, message)
        else:
            self._deliver(message)

    async def _misbehave(self, request: Request, behaviour: Behaviour, answer: dict[str, Any]) -> bytes:
        """End a request the way that the number it is for asks for."""
        match behaviour.ending:
            case Ending.ERROR:
                raise Refusal(behaviour.status)
            case Ending.LATE:
                await deferLater(self._clock, self._slow_s)
                return reply(request, 201, answer)
            case Ending.NAMELESS:
                return reply(request, 201, {k: v for k, v in answer.items() if k != "id"})
            case Ending.CUT:
                body = reply(request, 201, answer)
                request.write(body[: len(body) // 2])
                connection(request).loseConnection()
            case Ending.RESET:
                connection(request).abortConnection()
        return await Deferred()  # never: Klein cancels it when the connection is gone

    def _found(self, message: StoredMessage | None) -> StoredMessage:
        if message is None:
            raise Refusal(404, Problem(20, "message not found"))
        return message
