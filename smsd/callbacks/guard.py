"""Connects to receivers only at addresses where callbacks may go."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from smsd.callbacks.bounds import BoundedFactory, BoundedProtocol
from smsd.callbacks.names import INames
from smsd.core.receiver import is_public

#: Addresses of one name that are tried, one after the other; the time for a post is shared out among them.
MAX_ADDRESSES: Final = 3


class AddressRefused(ConnectError):
    """The receiver's name leads to a private, loopback or link-local address."""


class NameRefused(ConnectError):
    """The receiver's name is not one that a certificate can have."""


class IGuardReactor(IReactorTCP, IReactorTime):
    """What connecting needs of a reactor."""


@implementer(IStreamClientEndpoint)
@attrs.frozen(kw_only=True)
class GuardedEndpoint:
    """A host whose addresses are all looked at before one of them is connected to."""

    reactor: IGuardReactor
    names: INames
    host: str  #: a name or an address, without brackets
    port: int
    allow_private: bool  #: whether any address will do
    timeout_s: float  #: seconds for all tries to connect together

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """See IStreamClientEndpoint. Fails with AddressRefused, Unresolved and every ConnectError."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        addresses = await self._checked()
        for address in addresses[:-1]:
            try:
                return await self._to(address, len(addresses)).connect(factory)
            except ConnectError:
                continue
        return await self._to(addresses[-1], len(addresses)).connect(factory)

    async def _checked(self) -> Sequence[str]:
        addresses = await self.names.addresses(self.host)
        # One inward address among public ones is an attack or a mistake: neither deserves the choice of the others.
        if not self.allow_private and not all(is_public(address) for address in addresses):
            raise AddressRefused
        return addresses[:MAX_ADDRESSES]

    def _to(self, address: str, sharing: int) -> IStreamClientEndpoint:
        # The address is connected to as it was checked. A name, looked up again, could lead elsewhere by now.
        endpoint = TCP4ClientEndpoint if ip_address(address).version == 4 else TCP6ClientEndpoint
        return endpoint(self.reactor, address, self.port, timeout=self.timeout_s / sharing)


@implementer(IAgentEndpointFactory)
@attrs.frozen(kw_only=True)
class GuardedEndpoints:
    """Gives an Agent guarded endpoints, bounded in time and octets; certificates are checked against the name."""

    reactor: IGuardReactor
    names: INames
    tls: IPolicyForHTTPS
    allow_private: bool  #: whether any address will do
    timeout_s: float  #: seconds to connect, and seconds that a connection lives

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See IAgentEndpointFactory; ``uri`` is http or https, as ``check_url`` takes it. Raises NameRefused."""
        endpoint: IStreamClientEndpoint = GuardedEndpoint(
            reactor=self.reactor,
            names=self.names,
            host=uri.host.decode("ascii"),
            port=uri.port,
            allow_private=self.allow_private,
            timeout_s=self.timeout_s,
        )
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._creator(uri), endpoint)
        return _BoundedEndpoint(endpoint=endpoint, clock=self.reactor, life_s=self.timeout_s)

    def _creator(self, uri: URI) -> IOpenSSLClientConnectionCreator:
        try:
            return self.tls.creatorForNetloc(uri.host, uri.port)
        except UnicodeError:  # for http such a name will do: a_b
            raise NameRefused from None


@implementer(IStreamClientEndpoint)
@attrs.frozen(kw_only=True)
class _BoundedEndpoint:
    endpoint: IStreamClientEndpoint
    clock: IReactorTime
    life_s: float

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        bounded = BoundedFactory(protocolFactory, clock=self.clock, life_s=self.life_s)
        connecting: Deferred[BoundedProtocol] = self.endpoint.connect(bounded)  # type: ignore[assignment]
        return connecting.addCallback(_unwrapped)


def _unwrapped(bounded: BoundedProtocol) -> IProtocol:
    return bounded.wrappedProtocol
