"""A node that sends from a stream, as a process, and says on its output what happens."""

import json
import random
import signal
import sys
import time
from typing import Any

from twisted.internet import reactor as global_reactor
from zope.interface import implementer

from smsd.core.notice import Notice
from smsd.core.retry import Backoff
from smsd.core.settle import Policy
from smsd.gateway.messagebird import MessageBirdGateway
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.hold import Hold
from smsd.pipeline.lane import Lane
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.sender import Sender
from smsd.pipeline.throttle import PermitThrottle
from smsd.pipeline.window import Window
from smsd.ports import IReporter
from tests.stream.engines import spool

TIMEOUT_S = 3.0


@implementer(IReporter)
class Printer:
    def report(self, notice: Notice) -> None:
        id = notice.message.id if notice.message else "-"
        print(f"{time.monotonic():.3f} {notice.what.value} {id} {notice.detail}", file=sys.stderr, flush=True)


def main(reactor: Any, *, stream: dict[str, Any], provider: str, rate: float, grace_s: float) -> None:
    """Send what is in ``stream``."""
    told: dict[str, Any] = {"clock": reactor, "now": time.time, "reporter": Printer()}
    engine = spool(reactor, **stream)
    throttle = PermitThrottle(rate=rate, clock=reactor)
    gateway = MessageBirdGateway(
        "key",
        provider,
        reactor=reactor,
        threads=throttle.permits,
        timeout_s=TIMEOUT_S,
        now=time.time,
        monotonic=reactor.seconds,
    )
    backoff = Backoff(base_s=0.5, cap_s=2.0)
    lane = Lane(name="messagebird", gateway=gateway, throttle=throttle, hold=Hold(backoff=backoff, **told))
    policy = Policy(backoff=backoff, grace_s=grace_s)
    window = Window()
    feeder = Feeder(outbox=engine, window=window, rate=rate, **told)
    common: dict[str, Any] = {"outbox": engine, "policy": policy, "draw": random.random, **told}
    sender = Sender(lane=lane, refill=feeder.refill, **common)
    pacer = Pacer(rate=rate, window=window, sender=sender, wake=feeder.wake, clock=reactor)
    recovery = Recovery(lanes={lane.name: lane}, wake=feeder.wake, **common)

    def start() -> None:
        engine.open()
        engine.listen(feeder.wake)
        for each in (gateway, throttle, feeder, pacer, recovery):
            each.start()
        print("ready", flush=True)

    reactor.callWhenRunning(start)
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    clock: Any = global_reactor
    clock.seconds = time.monotonic
    main(clock, **json.loads(sys.argv[1]))
