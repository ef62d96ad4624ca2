"""Slows down an address from which wrong keys come."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import attrs

#: Wrong keys that an address may give before it has to wait: slips of the hand, and a client that was set up wrongly.
FREE_TRIES: Final = 10
#: Seconds, the longest wait after a wrong key; the first is a second, and each further one doubles it.
WAIT_CAP_S: Final = 300.0
#: Seconds without a wrong key after which an address is forgotten.
FORGET_S: Final = 3600.0
#: Addresses that are remembered; beyond that the one that was silent longest is forgotten.
MAX_ADDRESSES: Final = 4096


@attrs.frozen(kw_only=True)
class _Tries:
    """What is remembered of an address."""

    count: int  #: wrong keys in a row
    at: float  #: monotonic seconds, of the last one

    @property
    def until(self) -> float:
        """When another key is looked at (monotonic seconds)."""
        over = self.count - FREE_TRIES
        return self.at if over < 0 else self.at + min(WAIT_CAP_S, 2.0 ** min(over, 16))


class Guesses:
    """Wrong keys by address."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """``monotonic`` is in seconds."""
        self._monotonic = monotonic
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._quiet_from = 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether no address has to wait."""
        return self._monotonic() >= self._quiet_from

    def wait_s(self, address: str) -> float:
        """Seconds until a key from ``address`` is looked at; 0 when it is at once."""
        tries = self._tries.get(network(address))
        return 0.0 if tries is None else max(0.0, tries.until - self._monotonic())

    def was_wrong(self, address: str) -> None:
        """Count a wrong key from ``address``."""
        place, now = network(address), self._monotonic()
        tries = self._tries.pop(place, None)
        count = 0 if tries is None or now - tries.at >= FORGET_S else tries.count
        self._tries[place] = _Tries(count=count + 1, at=now)
        self._quiet_from = max(self._quiet_from, self._tries[place].until)
        while len(self._tries) > MAX_ADDRESSES:
            _ = self._tries.popitem(last=False)


def network(address: str) -> str:
    """What one client is likely to own: an IPv4 address, or the /64 of an IPv6 one (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # a socket file, say
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
