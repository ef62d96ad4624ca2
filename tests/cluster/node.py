"""A node that only sends, as a process: from one database, to one provider, at one rate with the others."""

import json
import random
import signal
import sys
import time
from typing import Any

from twisted.internet import reactor as global_reactor
from zope.interface import implementer

from smsd.core.notice import Notice
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.gateway.messagebird import MessageBirdGateway
from smsd.pipeline.feeder import Feeder
from smsd.pipeline.hold import Hold
from smsd.pipeline.lane import Lane
from smsd.pipeline.pacer import Pacer
from smsd.pipeline.recovery import Recovery
from smsd.pipeline.sender import Sender
from smsd.pipeline.window import Window
from smsd.ports import IReporter
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.postgresql.throttle import PostgresThrottle

TIMEOUT_S = 3.0


@implementer(IReporter)
class Printer:
    """Says on the error stream what happens."""

    def report(self, notice: Notice) -> None:
        id = notice.message.id if notice.message else "-"
        print(f"{time.monotonic():.3f} {notice.what.value} {id} {notice.detail}", file=sys.stderr, flush=True)


class Node:
    """All that a node sends with."""

    def __init__(self, reactor: Any, *, spool: str, provider: str, rate: float, lease_s: float, grace_s: float) -> None:
        told: dict[str, Any] = {"clock": reactor, "now": time.time, "reporter": Printer()}
        self.reactor = reactor
        self.spool = PostgresSpool(spool, reactor=reactor, lease_s=lease_s)
        self.throttle = PostgresThrottle(spool, lane="messagebird", rate=rate, timeout_s=TIMEOUT_S, reactor=reactor)
        self.gateway = MessageBirdGateway(
            "key",
            provider,
            reactor=reactor,
            threads=self.throttle.permits,
            timeout_s=TIMEOUT_S,
            now=time.time,
            monotonic=reactor.seconds,
        )
        backoff = Backoff(base_s=0.5, cap_s=2.0)
        hold = Hold(backoff=backoff, **told)
        lane = Lane(name="messagebird", gateway=self.gateway, throttle=self.throttle, hold=hold)
        policy = Policy(backoff=backoff, grace_s=grace_s)
        window = Window()
        self.feeder = Feeder(outbox=self.spool, window=window, rate=rate, **told)
        sender = Sender(
            outbox=self.spool, lane=lane, policy=policy, refill=self.feeder.refill, draw=random.random, **told
        )
        self.pacer = Pacer(rate=rate, window=window, sender=sender, wake=self.feeder.wake, clock=reactor)
        self.recovery = Recovery(
            outbox=self.spool,
            lanes={lane.name: lane},
            senders={lane.name: sender},
            policy=policy,
            wake=self.feeder.wake,
            draw=random.random,
            **told,
        )

    def start(self) -> None:
        self.spool.open()
        self.spool.listen(self.feeder.wake)
        self.gateway.start()
        self.throttle.start()
        self.feeder.start()
        self.pacer.start()
        self.recovery.start()
        print("ready", flush=True)


def main(given: dict[str, Any]) -> None:
    reactor: Any = global_reactor
    reactor.seconds = time.monotonic
    node = Node(reactor, **given)
    reactor.callWhenRunning(node.start)
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
