"""How many single SMS are accepted, each durable, beside a bare Klein route."""

import json
from collections.abc import Callable
from functools import cache
from typing import Final

from tests.bench.figures import Figure, at_least_the_ratio, at_most
from tests.bench.load import Load, post_for
from tests.bench.rounds import Round, measured
from tests.bench.servers import Server
from tests.bench.sizes import Sizes

CONNECTIONS: Final = 64
SMS: Final = {"originator": "MB", "message": "This is a test message."}
#: Different numbers, so that none comes again soon.
NUMBERS: Final = 20_000


def number(place: int) -> int:
    """The recipient that has its ``place`` among a hundred million others that come in no order, as real ones do."""
    return 31_600_000_000 + place * 61_803_399 % 100_000_000


@cache
def bodies(**more: str) -> tuple[bytes, ...]:
    """Single SMS with ``more`` fields."""
    return tuple(json.dumps({**SMS, "recipient": number(place), **more}).encode() for place in range(NUMBERS))


def load(for_s: float) -> Callable[[Server], Load]:
    """Single SMS for ``for_s`` seconds."""
    return lambda server: post_for(server.sms, bodies(), connections=CONNECTIONS, for_s=for_s, headers=server.headers)


def accept(bare: Server, smsd: Server, sizes: Sizes) -> list[Figure]:
    """Alternated rounds."""
    load(sizes.warm_s)(smsd)  # its accept processes come while many requests do
    beside, rounds = [], []
    for _ in range(sizes.rounds):
        beside.append(measured(bare, load(sizes.round_s)))
        rounds.append(measured(smsd, load(sizes.round_s)))
    return [
        at_least_the_ratio(_figure("accepts", "/s", lambda each: each.rate, rounds, beside), 2.0),
        at_most(_figure("the answer's p99", "ms", lambda each: each.p99_ms, rounds, beside), 15),
        _figure("CPU of all its processes for an accept", "µs", lambda each: each.cpu_us, rounds, beside),
    ]


def _figure(what: str, unit: str, of: Callable[[Round], float], rounds: list[Round], beside: list[Round]) -> Figure:
    return Figure(
        what=f"accept: {what}",
        unit=unit,
        rounds=[of(each) for each in rounds],
        against="bare Klein",
        beside=[of(each) for each in beside],
    )
