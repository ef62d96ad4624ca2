"""Opens the doors that settings name, and says where they are."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from smsd.settings import SettingsError


def listen(reactor: Any, endpoint: str, factory: IProtocolFactory) -> IListeningPort:
    """Serve ``factory`` at ``endpoint``, a Twisted endpoint text. Raises SettingsError and CannotListenError."""
    try:
        server = serverFromString(reactor, endpoint)
    except (ValueError, LookupError) as error:  # LookupError: systemd handed over no such socket
        raise SettingsError(problems=(f"{endpoint} is no endpoint to listen on: {error}.",)) from error
    listening: list[IListeningPort] = []
    failed: list[Any] = []
    _ = server.listen(factory).addCallbacks(listening.append, failed.append)
    if failed:
        failed[0].raiseException()
    return listening[0]


async def close(port: IListeningPort) -> None:
    """Take no more connections at ``port``."""
    stopped = port.stopListening()
    if stopped is not None:
        await stopped


def address_of(port: IListeningPort) -> str:
    """Where ``port`` is, for people: a URL when it is TCP."""
    host = port.getHost()
    return f"http://{host.host}:{host.port}" if isinstance(host, IPv4Address | IPv6Address) else str(host)
