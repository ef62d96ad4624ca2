"""Of who asked, only the word of a trusted proxy is taken."""

from ipaddress import ip_network

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.web.test.requesthelper import DummyChannel

from smsd.api.proxies import Proxies
from smsd.api.site import BoundedRequest

INNER, OUTER, CLIENT = "127.0.0.1", "10.0.0.7", "203.0.113.9"
PROXIES = Proxies(networks=(ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))


def v4(host: str) -> IPv4Address:
    return IPv4Address("TCP", host, 4711)


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([], INNER),
        ([CLIENT], CLIENT),
        ([f"{CLIENT}, {OUTER}"], CLIENT),
        ([CLIENT, OUTER], CLIENT),
        ([f"198.51.100.1, {CLIENT}"], CLIENT),
        ([f"{CLIENT}:55555"], CLIENT),
        (["[2001:db9::1]:55555"], "2001:db9::1"),
        (["2001:db9::1,2001:db8::5"], "2001:db9::1"),
        ([f"{CLIENT}, unknown"], INNER),
        (["", ""], INNER),
    ],
    ids=["none", "one", "two", "two-fields", "made-up", "port", "v6", "v6-chain", "no-address", "empty"],
)
def test_the_client_is_the_last_whom_no_proxy_of_ours_is(forwarded: list[str], client: str) -> None:
    assert PROXIES.client(v4(INNER), forwarded).host == client  # type: ignore[attr-defined]


def test_what_a_stranger_says_is_not_heard() -> None:
    assert PROXIES.client(v4(CLIENT), [INNER]) == v4(CLIENT)
    assert Proxies().client(v4(INNER), [CLIENT]) == v4(INNER)


def test_a_proxy_may_come_by_a_socket_file_or_by_an_address_that_is_mapped() -> None:
    peer = UNIXAddress(b"")
    assert PROXIES.client(peer, [CLIENT]) == peer
    assert Proxies(on_socket=True).client(peer, [CLIENT]).host == CLIENT  # type: ignore[attr-defined]
    mapped = IPv6Address("TCP", f"::ffff:{INNER}", 4711)
    assert PROXIES.client(mapped, [CLIENT]).host == CLIENT  # type: ignore[attr-defined]


def test_a_request_of_the_site_tells_the_client() -> None:
    channel = DummyChannel()
    request = BoundedRequest(channel, False)
    channel.site.proxies = PROXIES
    request.site = channel.site
    request.requestHeaders.setRawHeaders("X-Forwarded-For", [CLIENT])
    request.client = v4(INNER)
    channel.transport.peer = v4(INNER)
    assert request.getClientAddress().host == CLIENT
