"""Tells who really asked, though proxies stand in between."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

import attrs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

#: How a proxy says for whom it asks: each adds, at the end, whom it was asked by.
FORWARDED: Final = "X-Forwarded-For"


@attrs.frozen(kw_only=True)
class Proxies:
    """The proxies whose word is taken."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()  #: where they are
    on_socket: bool = False  #: whether whoever comes by a socket file is one

    def client(self, peer: IAddress, forwarded: Sequence[str]) -> IAddress:
        """Who asked, when a request came from ``peer`` with the header fields ``forwarded``.

        It is read from its end, and only as far as it was written by who is trusted: what a client makes up stands
        before that.
        """
        said = [each.strip() for field in forwarded for each in field.split(",")]
        while said and self._trusts(peer):
            named = _address(said.pop())
            if named is None:
                break
            peer = named
        return peer

    def _trusts(self, peer: IAddress) -> bool:
        if isinstance(peer, UNIXAddress):
            return self.on_socket
        if not isinstance(peer, IPv4Address | IPv6Address):
            return False
        address = ip_address(peer.host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """What a proxy wrote, without the port that some add; None for what is no address."""
    host = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        read = ip_address(host)
    except ValueError:
        return None
    return IPv4Address("TCP", str(read), 0) if read.version == 4 else IPv6Address("TCP", str(read), 0)
