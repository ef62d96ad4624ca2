"""Takes SMS line by line, as many as a client likes to send in one request, and answers as they become durable."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from smsd.api.auth import Forbidden, TooManyGuesses, Unauthorised
from smsd.api.bulk import Bulk, Client
from smsd.api.door import Sender, headers_of, media_type, trace_of
from smsd.api.lines import Batch, Lines, LineTooLong
from smsd.api.posting import read_key
from smsd.api.problems import Answer, answer_to, fitting, ok
from smsd.api.validation import InvalidBody, Problem

NDJSON: Final = b"application/x-ndjson"
#: Octets of an upload that is not taken which are read for the client's sake, so that he gets to read why.
PATIENCE: Final = 48 * 1024 * 1024
#: Seconds for which the rest of an upload is still read that ended before its time, with its answer written: a
#: connection that is closed while something comes in takes back what its other end has not read yet.
LINGER_S: Final = 2.0
#: The greatest number that the first line may have.
MAX_LINE: Final = 10**9
#: Batches that may wait: while there are more, nothing is read.
AHEAD: Final = 2


class Upload:
    """One request; its octets come in by ``received``, its answers go out a line a batch."""

    _log = Logger()

    def __init__(self, request: Any, bulk: Bulk, client: Client, first: int) -> None:
        """``request`` is one of twisted.web's whose body is still to come."""
        self._request = request
        self._bulk = bulk
        self._client = client
        self._lines = Lines(first)
        self._batches: deque[Batch] = deque()
        self._count = 0
        self._is_taking = self._has_begun = self._is_whole = self._is_over = False
        #: Ends the request, once nobody waits for the rest of it any more.
        self._lingering: IDelayedCall | None = None
        #: Fires when the client has read enough of the answers; None while he keeps up.
        self._room: Deferred[None] | None = None
        request.notifyFinish().addErrback(self._gone)
        request.registerProducer(self, True)

    def received(self, data: bytes) -> None:
        """Take octets of the body."""
        if not self._is_over:
            self._add(lambda: self._lines.feed(data))

    def finished(self) -> None:
        """Take note that this was the whole body."""
        self._is_whole = True
        if not self._is_over:
            self._add(self._lines.end)
        elif self._lingering is not None:
            self._lingering.reset(0)

    def _add(self, cut: Callable[[], Any]) -> None:
        try:
            self._batches.extend(cut())
        except LineTooLong as error:
            self._fail(error)
            return
        if len(self._batches) > AHEAD and not self._is_whole:
            self._request.channel.transport.pauseProducing()
        if not self._is_taking:
            self._is_taking = True
            _ = Deferred.fromCoroutine(self._take_all()).addErrback(self._broke)

    async def _take_all(self) -> None:
        while self._batches and not self._is_over:
            told = await self._bulk.take(self._batches.popleft(), self._client)
            self._count += sum(id is not None for id in told["ids"])
            self._write(told)
            if self._room is not None:
                await self._room
            if len(self._batches) <= AHEAD and not self._is_whole and not self._is_over:
                self._request.channel.transport.resumeProducing()
        self._is_taking = False
        if self._is_whole and not self._is_over:
            self._write(ok("Your SMS are being handled", count=self._count))
            self._end()

    def pauseProducing(self) -> None:
        """Answer no more for now: the client does not read."""
        self._room = self._room or Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stopProducing(self) -> None:
        """The client is gone."""
        self._is_over = True
        self.resumeProducing()

    def _write(self, told: dict[str, Any]) -> None:
        if self._is_over:
            return
        if not self._has_begun:
            self._has_begun = True
            self._request.setHeader("Content-Type", NDJSON)
        self._request.write(json.dumps(told).encode() + b"\n")

    def _broke(self, failure: Failure) -> None:
        if answer_to(failure.value).code == 500:
            self._log.failure("an upload broke", failure)
        self._fail(failure.value or RuntimeError())

    def _fail(self, error: BaseException) -> None:
        """Say what went wrong, and take no more: what was answered is kept, the rest may be sent again."""
        if self._is_over:
            return
        if self._has_begun:
            answer: Answer = answer_to(error)
            self._write({**answer.body, "count": self._count, "retry_after": answer.headers.get("Retry-After")})
        else:
            _refuse(self._request, error)
        self._end()

    def _end(self) -> None:
        self._is_over = True
        if self._is_whole:
            self._finish()
            return
        channel = self._request.channel
        channel.persistent = False  # what is still to come of the body is no request
        channel.transport.resumeProducing()
        self._lingering = channel.callLater(LINGER_S, self._finish)

    def _finish(self) -> None:
        self._lingering = None
        self._request.unregisterProducer()
        self._request.finish()

    def _gone(self, failure: Failure) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        self.stopProducing()


class Refusal:
    """An upload that is not taken."""

    def __init__(self, request: Any, error: Exception) -> None:
        self._request = request
        self._error = error
        self._octets = 0

    def received(self, data: bytes) -> None:
        """Take no note of it: the client reads its answer once he has sent all, unless that is too much."""
        self._octets += len(data)
        if self._octets > PATIENCE:
            self._request.channel.loseConnection()

    def finished(self) -> None:
        """Say why."""
        _refuse(self._request, self._error)
        self._request.finish()


class Uploads:
    """Begins uploads for those who may send."""

    def __init__(self, *, sender: Sender, bulk: Bulk) -> None:
        self._sender = sender
        self._bulk = bulk

    def begin(self, request: Any, method: bytes, uri: bytes) -> "Upload | Refusal | None":
        """The upload that ``request`` is the head of, if it is one; the routes answer all others."""
        path, _, query = uri.partition(b"?")
        declared = request.requestHeaders.getRawHeaders(b"content-type", [b""])[0]
        if method != b"POST" or path != b"/sms" or media_type(declared) != NDJSON:
            return None
        try:
            return Upload(request, self._bulk, self._client(request), first_line(query))
        except (Unauthorised, Forbidden, TooManyGuesses, InvalidBody) as error:
            return Refusal(request, error)

    def _client(self, request: IRequest) -> Client:
        given = headers_of(request)
        key = given.get(b"idempotency-key")
        return Client(
            api_key=self._sender(given.get(b"x-api-key", b""), request.getClientAddress),
            key=None if key is None else read_key(key.decode("latin-1")),
            trace=trace_of(given),
        )


def _refuse(request: Any, error: BaseException) -> None:
    """Answer ``request`` with ``error``, as the routes would."""
    answer = fitting(answer_to(error), ",".join(request.requestHeaders.getRawHeaders("accept", [])))
    request.setResponseCode(answer.code)
    for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
        request.setHeader(name, value)
    request.write(answer.encoded())


def first_line(query: bytes) -> int:
    """The number of the first line: ``line=N``, or 1. Raises InvalidBody."""
    name, _, value = query.partition(b"=")
    if not query:
        return 1
    if name != b"line" or not value.isdigit() or len(value) > 10 or not 1 <= int(value) <= MAX_LINE:
        message = "The query is invalid: 'Must be line=N, the number of the first line that is sent'"
        raise InvalidBody(Problem(pointer="", message=message))
    return int(value)
