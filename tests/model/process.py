"""The daemon's own parts, wired as in dispatch.py and service.py, in a process that can die at any moment."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

from smsd.core.message import What
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.pipeline.admission import Admission
from smsd.pipeline.expiry import Expiry
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.hold import Hold
from smsd.pipeline.intake import Intake
from smsd.pipeline.lane import Lane
from smsd.pipeline.operations import Operations
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.reports import Reports
from smsd.pipeline.sender import Sender
from smsd.pipeline.throttle import PermitThrottle
from smsd.pipeline.window import Window
from tests.model.provider import Connection, Provider
from tests.model.seam import Seam
from tests.unit.pipeline.world import Notebook

RATE: Final = 5.0
POLICY: Final = Policy(backoff=Backoff(base_s=0.5, cap_s=4.0), attempts=4, grace_s=3.0)
#: Recipients that may wait.
BACKLOG: Final = 250
#: Seconds for which an idempotency key is remembered.
IDEMPOTENCY_S: Final = 20.0


@implementer(IReactorTime)
class Lifetime:
    """The clock of one process: when it is dead, nothing happens any more."""

    def __init__(self, world: Clock) -> None:
        self._world = world
        self.is_over = False

    def seconds(self) -> float:
        return self._world.seconds()

    def callLater(self, delay: float, call: Callable[..., object], *args: Any, **kw: Any) -> IDelayedCall:
        return self._world.callLater(delay, lambda: None if self.is_over else call(*args, **kw))


class Process:
    """One life of the daemon, over the engine behind ``seam``."""

    def __init__(self, *, clock: Lifetime, seam: Seam, provider: Provider, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self.seam = seam
        self.notebook = Notebook()
        told: dict[str, Any] = {"clock": clock, "now": clock.seconds, "reporter": self.notebook}
        throttle = PermitThrottle(rate=RATE, clock=clock)
        hold = Hold(backoff=POLICY.backoff, **told)
        lane = Lane(name="model", gateway=Connection(provider, clock), throttle=throttle, hold=hold)
        window = Window()
        self.feeder = Feeder(outbox=seam, window=window, rate=RATE, **told)
        wake, draw = self.feeder.wake, lambda: 0.5
        sender = Sender(outbox=seam, lane=lane, policy=POLICY, refill=self.feeder.refill, draw=draw, **told)
        pacer = Pacer(rate=RATE, window=window, sender=sender, wake=wake, clock=clock)
        by_name: dict[str, Any] = {"lanes": {lane.name: lane}, "senders": {lane.name: sender}}
        recovery = Recovery(outbox=seam, policy=POLICY, wake=wake, draw=draw, **by_name, **told)
        asked: dict[str, Any] = {"ledger": seam, "now": clock.seconds, "reporter": self.notebook}
        self.operations = Operations(wake=wake, **asked)
        self.reports = Reports(clock=clock, **asked)
        outlook = lambda: pacer.outlook(  # noqa: E731
            throttle.outlook, held_s=hold.wait_s, is_waiting=bool(lane.waiting), ahead_s=sender.ahead_s
        )
        admission = Admission(
            inbox=seam,
            outlook=outlook,
            backlog_limit=BACKLOG,
            quotas=lambda name: (),
            wake=wake,
            reporter=self.notebook,
        )
        self.intake = Intake(
            admit=admission.admit,
            outlook=outlook,
            idempotency_s=IDEMPOTENCY_S,
            callback_url=lambda name: "",
            new_id=new_id,
            now=clock.seconds,
        )
        self.expiry = Expiry(ledger=seam, **told)
        throttle.start()
        pacer.start()
        recovery.start()
        self.feeder.start()
        self.expiry.start()

    def trouble(self) -> list[str]:
        """What of ours did not work."""
        return [notice.detail for notice in self.notebook.notices if notice.what is What.FAULT]

    def die(self) -> None:
        """Nothing is finished, nothing is written: it is gone."""
        self._clock.is_over = True
        self.seam.is_cut = True
