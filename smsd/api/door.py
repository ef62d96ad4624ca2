"""Answers ``POST /sms``, whichever way it came."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from smsd.api.driving import drive
from smsd.api.exchange import Reply
from smsd.api.posting import Posting
from smsd.api.problems import Answer, NotJson, answer_to
from smsd.core.notice import Measure, Took
from smsd.core.trace import Traceparent

#: The request that has to be fast.
POST_SMS: Final = b"POST /sms HTTP/1.1"
JSON_TYPE: Final = b"application/json"

#: The name of the API key that was given, which may send; the function says where it came from. See Gate.sender.
Sender = Callable[[bytes, Callable[[], Any]], str]


class Door:
    """Knows who asks, and lets what he posts in."""

    _log = Logger()

    def __init__(self, *, sender: Sender, posting: Posting, monotonic: Callable[[], float], measure: Measure) -> None:
        """``monotonic`` is in seconds."""
        self._sender = sender
        self._posting = posting
        self._monotonic = monotonic
        self._measure = measure

    def posted(self, headers: Mapping[bytes, bytes], body: bytes, peer: Callable[[], Any], reply: Reply) -> None:
        """Answer a ``POST /sms`` with ``headers`` (names in lower case) and ``body``.

        ``peer()`` is the address that it came from; ``reply`` is called once, with the answer.
        """
        drive(self._take(headers, body, peer), reply)

    def answer_to(self, failure: Failure) -> Answer:
        """The answer to what went wrong; logged if nobody foresaw it."""
        answer = answer_to(failure.value)
        if answer.code == 500:
            self._log.failure("a request broke", failure)
        return answer

    async def _take(self, headers: Mapping[bytes, bytes], body: bytes, peer: Callable[[], Any]) -> Answer:
        began = self._monotonic()
        try:
            api_key = self._sender(headers.get(b"x-api-key", b""), peer)
            if media_type(headers.get(b"content-type", b"")) != JSON_TYPE:
                raise NotJson
            key = headers.get(b"idempotency-key")
            given = None if key is None else key.decode("latin-1")
            return await self._posting.take(body, api_key, given, trace_of(headers))
        except Exception:  # noqa: BLE001 - each error has its answer; cheaper here than as another step of a Deferred
            return self.answer_to(Failure())
        finally:
            self._measure(Took.ACCEPT, [self._monotonic() - began])


def headers_of(request: IRequest) -> dict[bytes, bytes]:
    """The headers of ``request``, each once, names in lower case; no trace if nobody can tell which is meant."""
    headers = {name.lower(): values[0] for name, values in request.requestHeaders.getAllRawHeaders()}
    if len(request.requestHeaders.getRawHeaders(b"traceparent", [])) > 1:
        del headers[b"traceparent"]
    return headers


def trace_of(headers: Mapping[bytes, bytes]) -> Traceparent | None:
    """The trace that a request with ``headers`` is part of."""
    trace = headers.get(b"traceparent")
    return None if trace is None else Traceparent.parse(trace.decode("latin-1"))


def media_type(declared: bytes) -> bytes:
    """The type in a ``Content-Type`` header, without parameters, in lower case."""
    return declared.partition(b";")[0].strip().lower()
