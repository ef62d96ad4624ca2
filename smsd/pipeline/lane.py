"""One provider as the daemon uses it: the way to it, the rate agreed with it, and whether it takes anything."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from smsd.core.message import Message
from smsd.core.outcome import LookupFailed, Outcome, Throttled, Unanswered
from smsd.pipeline.hold import Hold
from smsd.ports import IBundler, IGateway, IThrottle

#: Seconds a permit is held beyond its span when the request timed out: it may still arrive.
LATE_S: Final = 10.0


@attrs.define(kw_only=True)
class Lane:
    """A gateway with its throttle and its hold, and what is under way on it."""

    name: str  #: what a message remembers of where its last attempt went
    gateway: IGateway
    throttle: IThrottle
    hold: Hold
    bundler: IBundler | None = None  #: the gateway once more, if its provider takes several messages in one request
    waiting: int = 0  #: sends that wait for a permit
    in_flight: int = 0  #: sends that have begun and are not settled; those that wait for a permit among them

    def takes_another(self) -> bool:
        """Whether a send may start now: nobody waits for a permit, and the provider is not held."""
        return not self.waiting and self.hold.lets_start(self.in_flight)

    def lets_pass(self) -> bool:
        """Whether a send that has begun may call the provider now."""
        return self.hold.lets_start(self.in_flight - 1)

    async def send(self, messages: Sequence[Message], by: float) -> Sequence[Outcome]:
        """Ask the provider, once, to take ``messages``: one, or several of one bundle; see IGateway and IBundler."""
        if len(messages) > 1 and self.bundler is not None:
            return await self.bundler.send_together(messages, by)
        return [await self.gateway.send(message, by) for message in messages]

    def answered(self, outcome: Outcome, permit: int, begun_at: float) -> None:
        """Learn from the outcome of the request that went out under ``permit`` at ``begun_at`` (monotonic seconds)."""
        begins_wait = self.hold.note(outcome, begun_at)
        if begins_wait and isinstance(outcome, Throttled):
            self.throttle.ease_off()
        late = isinstance(outcome, Unanswered) and outcome.late
        self.throttle.give_back(permit, LATE_S if late else 0.0, begun_at)


def gateway_of(message: Message, lanes: Mapping[str, Lane]) -> IGateway | LookupFailed:
    """The gateway that the last attempt of ``message`` went to; ``lanes`` go by their names."""
    # Another provider would know nothing of it, and saying so would mislead.
    lane = lanes.get(message.gateway)
    if lane is None:
        return LookupFailed(reason=f"the gateway {message.gateway}, which may have it, is not set up")
    return lane.gateway
