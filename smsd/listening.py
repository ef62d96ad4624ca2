"""Opens the doors that settings name, and says where they are."""

from collections.abc import Callable
from typing import Any, Final

from OpenSSL.crypto import Error as PemError
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from smsd.settings import SettingsError

#: What the text of an endpoint with TLS begins with.
TLS: Final = "ssl:"
#: What comes of an endpoint that cannot be made; LookupError: systemd handed over no such socket.
_TROUBLE: Final = (ValueError, LookupError, TypeError, OSError, PemError)


class Certificate:
    """The certificate of an ``ssl:`` endpoint, read again at somebody's word while the door stays open."""

    _log = Logger()

    def __init__(self, endpoint: str) -> None:
        """Raises SettingsError when it cannot be read."""
        self._endpoint = endpoint
        self._read()

    def reload(self) -> None:
        """Have new connections served with what the files hold now; if that is none, with the old one still."""
        try:
            self._read()
        except SettingsError as error:
            self._log.error("the certificate stays as it was: {error}", error=str(error))
        else:
            self._log.info("the certificate was read again")

    def _read(self) -> None:
        server = _made(_Instead(listen_ssl=self._take), self._endpoint)
        _ = server.listen(ServerFactory())

    def getContext(self) -> Any:
        """The context of the next connection; Twisted asks for each."""
        return self._options.getContext()

    def _take(self, port: int, factory: IProtocolFactory, contextFactory: Any, **where: Any) -> None:  # noqa: N803
        self._options = contextFactory


class _Instead:
    """A reactor's place, for endpoints with TLS: they only ever call this."""

    def __init__(self, listen_ssl: Callable[..., Any]) -> None:
        self.listenSSL = listen_ssl


def listen(
    reactor: Any, endpoint: str, factory: IProtocolFactory, certificate: Certificate | None = None
) -> IListeningPort:
    """Serve ``factory`` at ``endpoint``, a Twisted endpoint text. Raises SettingsError and CannotListenError.

    With a ``certificate`` the endpoint is its own, and connections are served with what it has at the time.
    """

    def listen_ssl(port: int, factory: IProtocolFactory, contextFactory: Any, **where: Any) -> Any:  # noqa: N803
        return reactor.listenSSL(port, factory, certificate, **where)

    server = _made(reactor if certificate is None else _Instead(listen_ssl), endpoint)
    listening: list[IListeningPort] = []
    failed: list[Any] = []
    _ = server.listen(factory).addCallbacks(listening.append, failed.append)
    if failed:
        failed[0].raiseException()
    return listening[0]


def certificate_of(endpoint: str) -> Certificate | None:
    """The certificate that ``endpoint`` names; None without TLS. Raises SettingsError."""
    return Certificate(endpoint) if endpoint.startswith(TLS) else None


def _made(reactor: Any, endpoint: str) -> IStreamServerEndpoint:
    try:
        server: IStreamServerEndpoint = serverFromString(reactor, endpoint)
    except _TROUBLE as error:
        problem = f"{endpoint} is no endpoint to listen on: {_reason(endpoint, error)}."
        raise SettingsError(problems=(problem,)) from error
    return server


def _reason(endpoint: str, error: Exception) -> str:
    if isinstance(error, PemError):
        return "its certificate or its key cannot be read"
    if isinstance(error, LookupError) and endpoint.startswith("systemd:"):
        return "no such socket was handed over; smsd.socket does that (LISTEN_FDS, LISTEN_FDNAMES)"
    return str(error)


async def close(port: IListeningPort) -> None:
    """Take no more connections at ``port``."""
    stopped = port.stopListening()
    if stopped is not None:
        await stopped


def address_of(port: IListeningPort, scheme: str = "http") -> str:
    """Where ``port`` is, for people: a URL when it is TCP."""
    host = port.getHost()
    return f"{scheme}://{host.host}:{host.port}" if isinstance(host, IPv4Address | IPv6Address) else str(host)
