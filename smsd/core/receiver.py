"""Says where callbacks may be posted to."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

#: Characters; more is not needed, and is kept with every message.
MAX_URL: Final = 2048
MAX_PORT: Final = 65_535
#: What RFC 3986 lets a URL be written with; a parser that meets anything else may see another host than we do.
_URL: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
#: RFC 3986 3 and 3.2. Not urllib's: what that lets pass as a host changes with the version of Python.
_START: Final = re.compile(r"https?://(?P<authority>[^/?#]*)", re.IGNORECASE)
_AUTHORITY: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(?::(?P<port>[0-9]{1,9}))?", re.ASCII
)
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
#: RFC 1123 2.1, and the underscore that container networks use; RFC 1035 2.3.4 for 63 and 253.
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
#: Resolvers take such a last label for (part of) an IPv4 address: 127.1, 0x7f000001, 2130706433.
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
#: RFC 6761 6.3: these always mean the machine itself.
_LOCALHOST: Final = re.compile(r"(?:.*\.)?localhost", re.IGNORECASE)

#: IPv4 that is not the public Internet: the IANA special-purpose registry (RFC 6890).
_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, RFC 791; Linux connects it to itself
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # behind a carrier's NAT, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927; clouds' metadata at 169.254.169.254
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relays, withdrawn by RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, RFC 1112, and broadcast
        "168.63.129.16/32",  # looks public, but is the host beneath every machine in Azure
    )
)
#: RFC 4291 2.4 and IANA's list: the only part of IPv6 given out as global unicast; all else stays shut.
_GLOBAL_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4: an IPv4 address in disguise, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
    )
)
#: The IPv4 address in the last 32 bits of these is where a packet really goes.
_CARRIES_4: Final = (
    IPv6Network("::ffff:0:0/96"),  # IPv4-mapped, RFC 4291 2.5.5.2
    IPv6Network("64:ff9b::/96"),  # NAT64, RFC 6052 2.1; all an IPv6-only network has for most receivers
)


def check_url(url: str, *, allow_private: bool = False) -> None:
    """Refuse what can never be posted to, as early as that can be said.

    A name is not resolved here: what it leads to is checked at every connection. Raises ValueError with a sentence.
    """
    if len(url) > MAX_URL:
        raise ValueError(f"A callback URL has at most {MAX_URL} characters.")
    if _URL.fullmatch(url) is None:
        raise ValueError("A callback URL has only the characters of RFC 3986; others are written %XX or in punycode.")
    if (start := _START.match(url)) is None:
        raise ValueError("A callback URL starts with https:// or http://.")
    if "@" in start["authority"]:
        raise ValueError("A callback URL has no user name or password.")
    if (authority := _AUTHORITY.fullmatch(start["authority"])) is None:
        raise ValueError("A callback URL has a host, and after it at most a colon and a port.")
    if authority["port"] is not None and not 1 <= int(authority["port"]) <= MAX_PORT:
        raise ValueError(f"The port of a callback URL is a number from 1 to {MAX_PORT}.")
    _check_host(host_of(url), allow_private)


def host_of(url: str) -> str:
    """The host of a URL that ``check_url`` takes: in lower case, an IPv6 address without its brackets."""
    start = _START.match(url)
    authority = _AUTHORITY.fullmatch(start["authority"]) if start else None
    return authority["host"].strip("[]").lower() if authority else ""


def origin_of(url: str) -> str:
    """The host and port of a URL that ``check_url`` takes: who shares a connection's far end."""
    start = _START.match(url)
    authority = start["authority"].lower() if start else ""
    return (
        authority if re.search(r":[0-9]+\Z", authority) else f"{authority}:{443 if url[:5].lower() == 'https' else 80}"
    )


def is_public(address: str) -> bool:
    """Whether ``address`` (an IP address as text) is on the public Internet. Raises ValueError if it is no address."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _NOT_PUBLIC_4)
    if any(parsed in network for network in _CARRIES_4):
        return is_public(str(IPv4Address(int(parsed) & 0xFFFFFFFF)))
    return parsed in _GLOBAL_6 and not any(parsed in network for network in _NOT_PUBLIC_6)


def _check_host(host: str, allow_private: bool) -> None:
    address = _literal(host)
    if address is None and _NAME.fullmatch(host) is None:
        raise ValueError("The host of a callback URL is a name of letters, digits, hyphens and dots, or an address.")
    if address is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise ValueError("An IPv4 address in a callback URL is four numbers from 0 to 255.")
    inward = _LOCALHOST.fullmatch(host) is not None if address is None else not is_public(address)
    if inward and not allow_private:
        raise ValueError("A callback URL may not lead to a private, loopback or link-local address.")


def _literal(host: str) -> str | None:
    try:
        return str(IPv6Address(host)) if ":" in host else str(IPv4Address(host))
    except AddressValueError:
        return None
