"""Serves the part of Bird's API that is for SMS, beside the classic one and out of the same store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from smsd.sandbox.bird_listing import page
from smsd.sandbox.bird_memory import REMEMBERED_S, Answer, Memory
from smsd.sandbox.bird_messages import read_batch, read_one, shown
from smsd.sandbox.bird_problems import BirdRefusal, Detail
from smsd.sandbox.problems import Refusal
from smsd.sandbox.script import BEHAVIOURS, Behaviour, Ending, Script
from smsd.sandbox.store import MessageStore, StoredMessage
from smsd.sandbox.wire import connection, content, fields, query, reply


class BirdSandbox:
    """The same customer's messages, by Bird's rules."""

    _app = Klein()

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float],
        take: Callable[[StoredMessage], None],
        account: Account,
        store: MessageStore,
        script: Script,
        slow_s: float,
        remembered_s: float = REMEMBERED_S,
    ) -> None:
        """``take`` is given each message; what is late is so by ``slow_s`` seconds."""
        self._clock = clock
        self._now = now
        self._take = take
        self._account = account
        self._store = store
        self._script = script
        self._slow_s = slow_s
        self._memory = Memory(now, remembered_s)

    def resource(self) -> IResource:
        """Give the resource to serve under ``/v1``."""
        resource: IResource = self._app.resource()
        return resource

    def reset(self) -> None:
        """Forget all idempotency keys."""
        self._memory.clear()

    @_app.route("/sms/messages", methods=["POST"])
    async def _send(self, request: Request) -> bytes:
        return await self._post(request, lambda given: [read_one(given, self._now())], lambda told: told[0])

    @_app.route("/sms/batches", methods=["POST"])
    async def _send_batch(self, request: Request) -> bytes:
        def batch(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
            return {"data": list(told), "summary": {"accepted_count": len(told)}}

        return await self._post(request, lambda given: read_batch(given, self._now()), batch)

    @_app.route("/sms/messages", methods=["GET"])
    def _list(self, request: Request) -> bytes:
        self._admit(request, self._account.gets)
        return reply(request, 200, page(self._store, query(request)))

    @_app.route("/sms/messages/<id>", methods=["GET"])
    def _show(self, request: Request, id: str) -> bytes:
        self._admit(request, self._account.gets)
        message = self._store.get(id)
        if message is None:
            raise BirdRefusal(404)
        return reply(request, 200, shown(message))

    @_app.handle_errors(BirdRefusal, Refusal, NotFound, MethodNotAllowed)
    def _refuse(self, request: IRequest, failure: Failure) -> bytes:
        match failure.value:
            case BirdRefusal() as refusal:
                pass
            case Refusal(status=status):
                refusal = BirdRefusal(status)
            case NotFound():
                refusal = BirdRefusal(404)
            case _:
                refusal = BirdRefusal(405)
        return reply(request, refusal.status, refusal.body())

    def _admit(self, request: Request, limit: RequestLimit) -> None:
        """Check who asks, and the rate. Raises BirdRefusal and Refusal."""
        if not request.getHeader("User-Agent"):
            raise BirdRefusal(403)
        scheme, _, key = (request.getHeader("Authorization") or "").partition(" ")
        self._account.authorise(key if scheme == "Bearer" else "")
        limit.admit()

    async def _post(
        self,
        request: Request,
        read: Callable[[Mapping[str, Any]], list[StoredMessage]],
        show: Callable[[Sequence[dict[str, Any]]], dict[str, Any]],
    ) -> bytes:
        self._admit(request, self._account.posts)
        key = request.getHeader("Idempotency-Key") or ""
        if not 1 <= len(key) <= 255:
            raise BirdRefusal(400, message="An Idempotency-Key of 1 to 255 characters is required.")
        known = self._memory.begin(key, request.path.decode(errors="replace"), content(request))
        if known is not None:
            request.setHeader("Idempotency-Replay", "true")
            return reply(request, known.status, known.body)
        try:
            messages = read(fields(request))
            self._account.charge()
            behaviour = self._behaviour(messages)
        except (BirdRefusal, Refusal) as refused:
            refusal = refused if isinstance(refused, BirdRefusal) else BirdRefusal(refused.status)
            self._memory.end(key, _remembered(refusal))
            raise refusal from None
        answer = Answer(202, show([shown(message) for message in messages]))
        if behaviour is None:
            self._keep(key, messages, answer)
            return reply(request, answer.status, answer.body)
        return await self._misbehave(request, key, behaviour, messages, answer)

    def _behaviour(self, messages: Sequence[StoredMessage]) -> Behaviour | None:
        """How it goes: as the first magic number among all asks for. Raises BirdRefusal (422)."""
        refused = [place for place, message in enumerate(messages) if _is_refused(message)]
        if refused:
            prefixes = [f"messages[{place}]." if len(messages) > 1 else "" for place in refused]
            raise BirdRefusal(422, *(Detail(f"{prefix}to", "cannot be routed") for prefix in prefixes))
        behaviours = (self._script.behaviour(message) for message in messages)
        return next((behaviour for behaviour in behaviours if behaviour is not None), None)

    def _keep(self, key: str, messages: Sequence[StoredMessage], answer: Answer) -> None:
        self._take_all(messages)
        self._memory.end(key, answer)

    def _take_all(self, messages: Sequence[StoredMessage]) -> None:
        for message in messages:
            self._take(message)

    async def _misbehave(
        self, request: Request, key: str, behaviour: Behaviour, messages: Sequence[StoredMessage], answer: Answer
    ) -> bytes:
        """End a request the way that the number it is for asks for; a repeat of what was taken is answered well."""
        if behaviour.ending is Ending.LATE:  # until then the same key is told that it is under way
            self._take_all(messages)
            try:
                await deferLater(self._clock, self._slow_s)
            finally:  # the client may have left meanwhile
                self._memory.end(key, answer)
            return reply(request, answer.status, answer.body)
        refusal = BirdRefusal(behaviour.status)
        if behaviour.taken:
            self._keep(key, messages, answer)
        else:
            self._memory.end(key, _remembered(refusal) if behaviour.ending is Ending.ERROR else None)
        match behaviour.ending:
            case Ending.ERROR:
                raise refusal
            case Ending.NAMELESS:
                told = {name: value for name, value in answer.body.items() if name not in ("id", "data")}
                return reply(request, answer.status, told)
            case Ending.CUT:
                body = reply(request, answer.status, answer.body)
                request.write(body[: len(body) // 2])
                connection(request).loseConnection()
            case Ending.RESET:
                connection(request).abortConnection()
        return await Deferred()  # never: Klein cancels it when the connection is gone


def _is_refused(message: StoredMessage) -> bool:
    behaviour = BEHAVIOURS.get(message.recipients[0])
    return behaviour is not None and behaviour.status == 422


def _remembered(refusal: BirdRefusal) -> Answer | None:
    """What a repeat is answered: any 4xx again, but for those that nobody has looked further at. A 5xx never."""
    return None if refusal.status in (401, 429) or refusal.status >= 500 else Answer(refusal.status, refusal.body())
