"""A receiver of callbacks on a loopback port that answers with whatever octets it is told to."""

from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, wrapServerTLS
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.certificates import signed

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def status(code: int, *headers: str) -> bytes:
    """An empty answer with ``headers`` written ``Name: value``."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {code} Whatever\r\n{lines}Content-Length: 0\r\n\r\n".encode()


@attrs.frozen(kw_only=True)
class Script:
    """What a receiver does with a request."""

    reply: bytes = OK
    trickle: bytes = b""  #: repeated after the reply for as long as the connection lasts
    trickle_s: float = 0.02  #: seconds between two of them
    close: bool = False  #: close once the reply is written
    read: bool = True  #: whether it reads what it is sent


class Connection(Protocol):
    """One connection to the receiver."""

    received = b""
    trickled = 0  #: how often
    trickling: LoopingCall | None = None

    def __init__(self, receiver: "Receiver") -> None:
        self.receiver = receiver
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.receiver.connections.append(self)
        if not self.receiver.script.read:
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.complete() and self.trickling is None:
            self.answer(self.receiver.script)

    def complete(self) -> bool:
        head, end, body = self.received.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return bool(end) and len(body) >= int(lengths[0].split(b":")[1])

    def answer(self, script: Script) -> None:
        self.transport.write(script.reply)  # type: ignore[union-attr]
        if script.close:
            self.transport.loseConnection()  # type: ignore[union-attr]
        if script.trickle:
            self.trickling = LoopingCall(self.trickle, script.trickle)
            self.trickling.start(script.trickle_s)

    def trickle(self, octets: bytes) -> None:
        self.transport.write(octets)  # type: ignore[union-attr]
        self.trickled += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.trickling is not None and self.trickling.running:
            self.trickling.stop()
        self.lost.callback(None)

    def head(self) -> dict[str, str]:
        """The request's headers, names in lower case, and its first line as ``""``."""
        first, *lines = self.received.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        return {"": first} | {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]


class Receiver:
    """Listens on 127.0.0.1; with a ``certificate`` it speaks TLS."""

    def __init__(self, script: Script, certificate: Any = None) -> None:
        self.script = script
        self.certificate = certificate
        self.connections: list[Connection] = []
        self.port = 0

    async def start(self, reactor: Any) -> "Receiver":
        endpoint: Any = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        if self.certificate is not None:
            endpoint = wrapServerTLS(self.certificate, endpoint)
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda address: Connection(self)  # type: ignore[method-assign]
        self.listening = await endpoint.listen(factory)
        self.port = self.listening.getHost().port
        return self

    async def stop(self) -> None:
        """May be repeated."""
        await maybeDeferred(self.listening.stopListening)
        for connection in self.connections:
            if not connection.lost.called:
                connection.transport.resumeProducing()  # type: ignore[union-attr]
                connection.transport.abortConnection()  # type: ignore[union-attr]
                await connection.lost

    def url(self, host: str = "127.0.0.1", scheme: str = "http", path: str = "/hook") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@implementer(IOpenSSLServerConnectionCreator)
class Tls:
    """A server's side of TLS. Twisted's own would do, if it did not warn of itself."""

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:  # noqa: N803
        return SSL.Connection(self.context, None)


def certificate(name: str) -> tuple[Any, Any]:
    """A server's certificate for ``name``, and the authority to trust for it, as twisted has them."""
    key = ec.generate_private_key(ec.SECP256R1())
    itself = x509.BasicConstraints(ca=True, path_length=None)
    built = signed(name, key, name, key, x509.SubjectAlternativeName([x509.DNSName(name)]), itself)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(built)
    context.use_privatekey(key)
    return Tls(context), ssl.Certificate.loadPEM(built.public_bytes(serialization.Encoding.PEM))
