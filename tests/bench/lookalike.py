"""A provider in a process of its own, which answers after a while and says when requests came.

Usage: python -m tests.bench.lookalike PORT. GET /arrivals: the monotonic seconds of each POST, in their order.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.bench.servers import Server, await_answer, ended
from tests.integration.daemon import ROOT, free_port
from tests.integration.provider import Arrival, Behaviour, Provider, http

#: Seconds from a request to its answer: a provider on the same continent. A permit is gone for a second and this, so
#: that 500 of them can carry 476 requests a second; at 0.087 it would be the 460 that are wished for.
ROUND_TRIP_S: Final = 0.05
_ARRIVALS: Final = "/arrivals"


class Lookalike(Provider):
    """MessageBird as it is far away."""

    def handle(self, arrival: Arrival) -> Behaviour:
        """See Provider.handle."""
        if arrival.path == _ARRIVALS:
            return Behaviour(reply=http(200, [each.at_monotonic for each in self.posts()]))
        return attrs.evolve(super().handle(arrival), pause_s=ROUND_TRIP_S)


@contextmanager
def lookalike() -> Iterator[Server]:
    """One that runs."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.lookalike", str(port)], cwd=ROOT)
    with ended(process):
        url = f"http://127.0.0.1:{port}"
        await_answer(url, _ARRIVALS, {200}, process)
        yield Server(url=url, pid=process.pid)


def arrivals(provider: Server) -> Sequence[float]:
    """Monotonic seconds at which each request to send came to ``provider``."""
    times: list[float] = json.loads(provider.get(_ARRIVALS))
    return times


if __name__ == "__main__":
    Deferred.fromCoroutine(Lookalike(reactor).start(int(sys.argv[1])))
    reactor.run()
