"""One provider as the daemon uses it: the way to it, the rate agreed with it, and whether it takes anything."""

import attrs

from smsd.pipeline.hold import Hold
from smsd.ports import IGateway, IThrottle


@attrs.define(kw_only=True)
class Lane:
    """A gateway with its throttle and its hold, and what is under way on it."""

    name: str  #: what a message remembers of where its last attempt went
    gateway: IGateway
    throttle: IThrottle
    hold: Hold
    waiting: int = 0  #: sends that wait for a permit
    in_flight: int = 0  #: sends that have begun and are not settled; those that wait for a permit among them

    def takes_another(self) -> bool:
        """Whether a send may start now: nobody waits for a permit, and the provider is not held."""
        return not self.waiting and self.hold.lets_start(self.in_flight)

    def lets_pass(self) -> bool:
        """Whether a send that has begun may call the provider now."""
        return self.hold.lets_start(self.in_flight - 1)
