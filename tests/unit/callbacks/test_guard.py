from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from smsd.callbacks.guard import AddressRefused, GuardedEndpoint
from smsd.callbacks.names import INames


@implementer(INames)
class Names:
    """Leads every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.known = addresses

    async def addresses(self, host: str) -> Sequence[str]:
        return self.known


def connect(reactor: Any, *addresses: str, allow_private: bool = False) -> "Deferred[Any]":
    endpoint = GuardedEndpoint(
        reactor=reactor,
        names=Names(*addresses),
        host="receiver.example",
        port=443,
        allow_private=allow_private,
        timeout_s=15.0,
    )
    return endpoint.connect(Factory.forProtocol(Protocol))


def targets(reactor: Any) -> list[tuple[str, int, float]]:
    return [(host, port, timeout) for host, port, _, timeout, _ in reactor.tcpClients]


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_is_connected_to_as_it_was_checked(address: str) -> None:
    reactor = MemoryReactorClock()
    connect(reactor, address)
    assert targets(reactor) == [(address, 443, 15.0)]


@pytest.mark.parametrize("addresses", [["8.8.8.8", "10.0.0.1"], ["fe80::1%eth0"], ["::ffff:169.254.169.254"]])
def test_nothing_is_connected_to_if_one_address_leads_inward(addresses: list[str]) -> None:
    reactor = MemoryReactorClock()
    connect(reactor, *addresses).addErrback(lambda failure: failure.trap(AddressRefused))
    assert targets(reactor) == []
    connect(reactor, *addresses, allow_private=True)
    assert len(targets(reactor)) == 1


def test_the_addresses_of_a_name_share_the_time_and_are_tried_in_order_but_not_without_end() -> None:
    reactor = MemoryReactorClock()
    connecting = connect(reactor, "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1")
    for _ in range(3):
        _, _, factory, _, _ = reactor.tcpClients[-1]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    assert targets(reactor) == [("8.8.8.8", 443, 5.0), ("8.8.4.4", 443, 5.0), ("1.1.1.1", 443, 5.0)]
    connecting.addErrback(lambda failure: failure.trap(ConnectionRefusedError))
    assert connecting.called
