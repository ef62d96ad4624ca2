"""Serves the routes over HTTP, and stops reading a body that is too long."""

from functools import partial
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from smsd.api.channel import PassOn, ShortcutChannel
from smsd.api.exchange import SERVER, Heads, Shortcut
from smsd.api.problems import BodyTooLarge, answer_to, fitting
from smsd.api.proxies import FORWARDED, Proxies
from smsd.api.upload import Refusal, Upload, Uploads

#: Bytes of a request body that are taken: an array of 10,000 with texts of 9 parts has room.
BODY_LIMIT: Final = 24 * 1024 * 1024
#: Bytes of a request body that are read only to be thrown away, so that the client gets to read its answer.
PATIENCE: Final = 2 * BODY_LIMIT


class BoundedRequest(Request):
    """A request whose body ends at ``BODY_LIMIT`` bytes: twisted.web itself has no limit."""

    _received = 0
    _upload: Upload | Refusal | None = None

    def gotLength(self, length: int | None) -> None:
        """Begin an upload that is taken while it comes in, if it is one."""
        self.site = self.channel.site  # type: ignore[attr-defined]  # Site gives its channels one
        uploads = getattr(self.site, "uploads", None)
        if uploads is not None:
            # Twisted tells a request of its first line, and its site, only when it is whole.
            self.method, self.uri, self.clientproto = self.channel._command, self.channel._path, self.channel._version
            self._upload = uploads.begin(self, self.method, self.uri)
        super().gotLength(0 if self._upload is not None else length)

    def getClientAddress(self) -> IAddress:
        """Who asked, though a proxy in front be the one who connected."""
        peer: IAddress = super().getClientAddress()
        proxies = getattr(self.site, "proxies", None)
        if proxies is None:
            return peer
        client: IAddress = proxies.client(peer, self.requestHeaders.getRawHeaders(FORWARDED, []))
        return client

    def handleContentChunk(self, data: bytes) -> None:
        """Keep what is within the limit; a chunked body declares no length, so what came is counted."""
        if self._upload is not None:
            self._upload.received(data)
            return
        self._received += len(data)
        if self._received <= BODY_LIMIT:
            super().handleContentChunk(data)
        elif self._received > PATIENCE and self.channel is not None:
            self.channel.loseConnection()

    def process(self) -> None:
        """Answer by the routes, unless the body was too long."""
        if self._upload is not None:
            self._upload.finished()
            return
        if self._received <= BODY_LIMIT:
            self.path = _readable(self.path)
            super().process()
            return
        accept = ",".join(self.requestHeaders.getRawHeaders("accept", []))
        answer = fitting(answer_to(BodyTooLarge(BODY_LIMIT)), accept)
        self.setResponseCode(answer.code)
        self.setHeader("Content-Type", answer.content_type)
        self.write(answer.encoded())
        self.finish()

    def write(self, data: bytes) -> None:
        """Write a part of the answer; the first one under our own name."""
        if not self.startedWriting:
            self.setHeader(b"Server", SERVER)
            if not self.responseHeaders.hasHeader(b"Date"):  # of what twisted.web had no hand in
                self.setHeader(b"Date", http.datetimeToString())
        super().write(data)


class QuietSite(Site):
    """A site without an access log: a line a request would hold addresses and ids of clients."""

    displayTracebacks = False  # noqa: N815 - Twisted's name
    noisy = False
    proxies: Proxies | None = None
    uploads: Uploads | None = None

    def log(self, request: http.Request) -> None:
        """Say nothing; what matters is told by notices."""


def site(resource: IResource, clock: IReactorTime, proxies: Proxies | None = None) -> QuietSite:
    """A site that serves ``resource`` with bounded bodies, which it does not look into for forms."""
    made = QuietSite(resource, requestFactory=BoundedRequest, reactor=clock, parsePOSTFormSubmission=False)
    made.proxies = proxies
    return made


def quick_site(
    resource: IResource,
    clock: IReactorTime,
    request_line: bytes,
    shortcut: Shortcut,
    pass_on: PassOn = lambda transport, data: False,
    proxies: Proxies | None = None,
    uploads: Uploads | None = None,
) -> Site:
    """The same, but requests that begin with ``request_line`` go to ``shortcut`` when they are simple.

    ``pass_on`` may take the connections of those who post again and again. Of who asks, the word of ``proxies`` is
    taken. ``uploads`` takes bodies of lines while they come in.
    """
    made = site(resource, clock, proxies)
    made.uploads = uploads
    made.protocol = partial(ShortcutChannel, request_line, shortcut, Heads(clock.seconds), pass_on)  # type: ignore[method-assign, assignment]  # as Twisted documents it
    return made


def _readable(path: bytes) -> bytes:
    """``path``, with U+FFFD for what is no UTF-8: Klein would log it with a traceback, and answer in plain text."""
    raw = unquote_to_bytes(path)
    text = raw.decode(errors="replace")
    return path if text.encode() == raw else quote(text).encode()
