"""Posts callbacks to their receivers, signed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (  # type: ignore[attr-defined]  # RequestNotSent is documented, but not in __all__
    Agent,
    BrowserLikePolicyForHTTPS,
    HostnameCachingHTTPSPolicy,
    RequestGenerationFailed,
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from smsd.callbacks.answers import read_answer
from smsd.callbacks.guard import AddressRefused, GuardedEndpoints, IGuardReactor, NameRefused
from smsd.callbacks.names import INames, Unresolved
from smsd.core.callback import Answered, Callback, Failed
from smsd.core.receiver import check_url
from smsd.core.signature import sign

#: Seconds for one post, from the look-up of the name to the last octet: Standard Webhooks, "between 15 and 30s".
TIMEOUT_S: Final = 15.0
#: Receivers whose TLS context is kept; to make one reads every certificate authority, 13 ms in which nothing is sent.
TLS_CONTEXTS: Final = 100
#: All that a network and a receiver can do to a request, as Twisted names it.
_BROKEN: Final = (
    ConnectError,
    ConnectionClosed,
    RequestGenerationFailed,
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
    OSError,
)


class HttpCallbacks:
    """Posts to any receiver on the public Internet; to any at all if ``allow_private``.

    ``now`` gives UTC epoch seconds. ``secrets`` are, by API key, the octets that its callbacks are signed with, the
    newest first; they are looked up at every post, so they may be replaced. A key without any has its callbacks
    posted unsigned: the settings give every key one. Redirects are not followed: each is a failure.
    """

    def __init__(
        self,
        reactor: IGuardReactor,
        now: Callable[[], float],
        secrets: Mapping[str, Sequence[bytes]],
        *,
        names: INames,
        allow_private: bool,
        timeout_s: float = TIMEOUT_S,
        tls: IPolicyForHTTPS | None = None,
    ) -> None:
        self._reactor = reactor
        self._now = now
        self._secrets = secrets
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        endpoints = GuardedEndpoints(
            reactor=reactor,
            names=names,
            tls=tls or HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS(), cacheSize=TLS_CONTEXTS),
            allow_private=allow_private,
            timeout_s=timeout_s,
        )
        self._agent = _PlainAgent(Agent.usingEndpointFactory(reactor, endpoints))

    async def post(self, callback: Callback) -> Answered:
        """Post ``callback`` once; whatever happens within ``timeout_s`` is an answer, never an exception.

        The status line decides. The rest of the answer is read (at most 64 KiB) and thrown away.
        """
        try:
            check_url(callback.url, allow_private=self._allow_private)
        except ValueError as refusal:
            return Failed(reason=str(refusal))
        exchange = Deferred.fromCoroutine(self._exchange(callback))
        # Not addTimeout: a request that is cancelled ends in several errors, by how far it had come.
        timer = self._reactor.callLater(self._timeout_s, exchange.cancel)
        try:
            return await exchange
        except (CancelledError, *_BROKEN) as error:
            if not timer.active():
                return Failed(reason=f"the receiver did not answer within {self._timeout_s:g} s")
            if isinstance(error, CancelledError):
                raise
            return Failed(reason=_words(error))
        finally:
            if timer.active():
                timer.cancel()

    async def _exchange(self, callback: Callback) -> Answered:
        # A client of its own for each post: treq's remembers cookies, and receivers have no business in each other's.
        response = await HTTPClient(self._agent).post(
            _VerbatimUrl.from_text(callback.url),
            headers=self._headers(callback),
            data=callback.body,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,  # type: ignore[arg-type]  # for a timeout of its own; without it, it takes the global one
        )
        retry_after = response.headers.getRawHeaders("retry-after", [""])[0]
        answered = read_answer(response.code, retry_after, self._now())
        await _drained(response)
        return answered

    def _headers(self, callback: Callback) -> Headers:
        timestamp = int(self._now())  # of this try, not of the event: it is what keeps an old one from being replayed
        headers = Headers(
            {
                "content-type": ["application/json"],
                "user-agent": ["smsd"],
                "webhook-id": [callback.id],
                "webhook-timestamp": [str(timestamp)],
            }
        )
        if callback.trace is not None:
            headers.setRawHeaders("traceparent", [callback.trace.text])
        secrets = self._secrets.get(callback.api_key, ())
        if secrets:
            headers.setRawHeaders("webhook-signature", [sign(secrets, callback.id, timestamp, callback.body)])
        return headers


class _VerbatimUrl(EncodedURL):
    """A URL that treq sends as it is: its conversion fails for IPv6 addresses and for names such as ``a_b``."""

    def to_uri(self) -> EncodedURL:
        return self


@implementer(IAgent)
class _PlainAgent:
    """Takes from answers what treq would act on: 64 KiB of gzip unpack to 64 MiB, and cookies go nowhere."""

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> "Deferred[IResponse]":
        """See IAgent."""
        asking: Deferred[IResponse] = self._agent.request(method, uri, headers, bodyProducer)
        return asking.addCallback(_plain)


def _plain(response: IResponse) -> IResponse:
    response.headers.removeHeader("content-encoding")
    response.headers.removeHeader("set-cookie")
    return response


class _Drain(Protocol):
    """Throws a body away."""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred(self._give_up)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end of the body, whole or not: the status line has already decided."""
        if not self.done.called:
            self.done.callback(None)

    def _give_up(self, done: "Deferred[None]") -> None:
        if self.transport is not None:
            self.transport.loseConnection()
        done.callback(None)


async def _drained(response: IResponse) -> None:
    drain = _Drain()
    response.deliverBody(drain)
    await drain.done


def _words(error: Exception) -> str:
    if isinstance(error, AddressRefused | NameRefused | Unresolved):
        return " ".join((type(error).__doc__ or "").split()).rstrip(".")
    if isinstance(error, ConnectError | OSError):
        return "no connection to the receiver could be made"
    return "the connection to the receiver broke before its answer was in"
