"""How near to its rate a daemon sends, and that no second ever holds more, alone and while it accepts at full load."""

import json
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

from tests.bench.accept import CONNECTIONS, SMS, bodies, load, number
from tests.bench.figures import Figure, at_least, at_least_the_ratio
from tests.bench.load import Load, post_for
from tests.bench.lookalike import arrivals, lookalike
from tests.bench.rounds import Round, measured
from tests.bench.servers import Server, smsd
from tests.bench.sizes import Sizes

RATE: Final = 500
#: Recipients of one request to the provider, as many as it takes.
RECIPIENTS: Final = 50
#: Requests that one broadcast becomes, at most.
LARGEST: Final = 1000
PATIENCE_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Sent:
    """What came to the provider in one round."""

    average: float  #: requests a second, until the load beside it ended
    most: int  #: in any second
    settled_s: float  #: seconds from the last request until the last message was known to be sent
    beside: Round | None  #: the accepts at the same time


def dispatch(bare: Server, folder: Path, sizes: Sizes) -> list[Figure]:
    """Alternated rounds: alone, and beside accepts."""
    alone, busy, accepts = [], [], []
    with lookalike() as provider, smsd(folder, provider.url, str(RATE)) as daemon:
        for _ in range(sizes.rounds):
            alone.append(_round(daemon, provider, sizes.requests))
            accepts.append(measured(bare, load(sizes.round_s / 2)).rate)
            busy.append(_round(daemon, provider, sizes.requests, _scheduled))
    taken = [each.beside.rate for each in busy if each.beside is not None]
    besides = Figure(
        what="dispatch: accepts at the same time", unit="/s", rounds=taken, against="bare Klein", beside=accepts
    )
    return [*_figures("alone", alone), *_figures("beside accepts", busy), at_least_the_ratio(besides, 1.0)]


def _figures(how: str, rounds: Sequence[Sent]) -> list[Figure]:
    def figure(what: str, unit: str, of: Callable[[Sent], float]) -> Figure:
        return Figure(what=f"dispatch {how}: {what}", unit=unit, rounds=[of(each) for each in rounds])

    average = figure("requests of 50 recipients", "/s", lambda each: each.average)
    average = attrs.evolve(average, against="the rate that is set", beside=[RATE])
    most = figure("most in any second", "requests", lambda each: each.most)
    holds = max(most.rounds) <= RATE
    return [
        at_least(average, 460),
        attrs.evolve(most, against="the rate that is set", beside=[RATE]).wished(f"never over {RATE}", holds),
        figure("settled after the last", "s", lambda each: each.settled_s),
    ]


def _round(
    daemon: Server, provider: Server, requests: int, other: Callable[[float], Callable[[Server], Load]] | None = None
) -> Sent:
    before = len(arrivals(provider))
    _broadcast(daemon, requests)
    beside = measured(daemon, other(requests / RATE)) if other else None
    end = time.monotonic()
    settled = _await_sent(daemon, before + requests)
    times = sorted(arrivals(provider)[before:])
    assert len(times) == requests, "each is sent once"
    until = [each for each in times if each <= end] if other else times
    return Sent(
        average=(len(until) - 1) / (until[-1] - until[0]),
        most=most_within(times, 1.0),
        settled_s=settled - times[-1],
        beside=beside,
    )


def _broadcast(daemon: Server, requests: int) -> None:
    """Post what becomes so many requests to the provider."""
    size = min(requests, LARGEST)
    body = json.dumps({**SMS, "recipients": [number(place) for place in range(size * RECIPIENTS)]}).encode()
    came = post_for(daemon.sms, body, connections=1, most=requests // size, headers=daemon.headers)
    assert not came.refused, came


def _scheduled(for_s: float) -> Callable[[Server], Load]:
    """Single SMS for tomorrow, so that they are not sent among the others."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    posted = bodies(send_at=tomorrow)
    return lambda server: post_for(server.sms, posted, connections=CONNECTIONS, for_s=for_s, headers=server.headers)


def _await_sent(daemon: Server, messages: int) -> float:
    """Wait until so many are sent; the monotonic seconds at which they were."""
    deadline = time.monotonic() + PATIENCE_S
    while _sent(daemon) < messages:
        assert time.monotonic() < deadline, daemon.get("/metrics")
        time.sleep(0.1)
    return time.monotonic()


def _sent(daemon: Server) -> int:
    depths = re.findall(r'^smsd_depth\{.*state="sent".*\} (\S+)$', daemon.get("/metrics"), re.MULTILINE)
    return int(sum(map(float, depths)))


def most_within(times: Sequence[float], span_s: float) -> int:
    """The largest number of ``times``, in their order, in any half-open span of ``span_s`` seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - span_s:
            first += 1
        most = max(most, last - first + 1)
    return most
