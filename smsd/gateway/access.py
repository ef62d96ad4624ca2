"""Says how a provider is reached, in a form that a process can be told."""

from collections.abc import Callable
from typing import Any

import attrs

from smsd.gateway.messagebird import MessageBirdGateway
from smsd.gateway.pools import IGatewayReactor


@attrs.frozen(kw_only=True)
class Access:
    """A provider, and how requests go to it; only what ``marshal`` writes."""

    name: str  #: messagebird or bird
    key: str = attrs.field(repr=False)
    url: str | None  #: None: where the provider is
    threads: int
    timeout_s: float  #: for an answer, seconds from the moment the request is out
    report_url: str | None = None  #: where status reports are to go; of MessageBird
    category: str = ""  #: of what says none; of Bird

    def gateway(self, *, reactor: IGatewayReactor, now: Callable[[], float], monotonic: Callable[[], float]) -> Any:
        """A gateway, an IBundler too if its provider takes bundles. Raises ImportError if its SDK is not installed."""
        common: dict[str, Any] = {
            "reactor": reactor,
            "now": now,
            "monotonic": monotonic,
            "threads": self.threads,
            "timeout_s": self.timeout_s,
        }
        if self.name == "bird":
            from smsd.gateway.bird import BirdGateway  # its SDK takes half a second, and is there by an extra only

            return BirdGateway(self.key, self.url, category=self.category, **common)
        return MessageBirdGateway(self.key, self.url or "", report_url=self.report_url, **common)
