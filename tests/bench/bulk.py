"""How many SMS are accepted in arrays of 1,000, beside a bare Klein route that reads the same arrays."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Final

from tests.bench.accept import SMS
from tests.bench.figures import Figure, at_least
from tests.bench.load import Load, post_for
from tests.bench.rounds import Round, measured
from tests.bench.servers import Server
from tests.bench.sizes import Sizes

ARRAY: Final = 1000
CONNECTIONS: Final = 4
#: Different arrays, so that no text comes again soon.
ARRAYS: Final = 50


def arrays() -> Sequence[bytes]:
    """As a campaign posts them: each SMS has its own recipient and its own text."""
    return [_array(number * ARRAY) for number in range(ARRAYS)]


def _array(first: int) -> bytes:
    numbers = range(first, first + ARRAY)
    return json.dumps(
        [SMS | {"recipient": 31_600_000_000 + each, "message": f"Order {each} is on its way."} for each in numbers]
    ).encode()


def load(bodies: Sequence[bytes], *, for_s: float) -> Callable[[Server], Load]:
    """Arrays for ``for_s`` seconds."""
    return lambda server: post_for(server.sms, bodies, connections=CONNECTIONS, for_s=for_s, headers=server.headers)


def fill(server: Server, messages: int) -> Load:
    """Have ``server`` keep at least ``messages``, in arrays."""
    most = math.ceil(messages / ARRAY)
    return post_for(server.sms, arrays(), connections=min(CONNECTIONS, most), most=most, headers=server.headers)


def bulk(bare: Server, smsd: Server, sizes: Sizes) -> list[Figure]:
    """Alternated rounds."""
    bodies = arrays()
    load(bodies, for_s=sizes.warm_s / 5)(smsd)
    beside, rounds = [], []
    for _ in range(sizes.rounds):
        beside.append(measured(bare, load(bodies, for_s=sizes.round_s / 2)))
        rounds.append(measured(smsd, load(bodies, for_s=sizes.round_s)))
    return [
        at_least(_figure("SMS", "/s", lambda each: each.rate * ARRAY, rounds, beside), 100_000),
        _figure("the answer's p99", "ms", lambda each: each.p99_ms, rounds, beside),
        _figure("CPU for an SMS", "µs", lambda each: each.cpu_us / ARRAY, rounds, beside),
    ]


def _figure(what: str, unit: str, of: Callable[[Round], float], rounds: list[Round], beside: list[Round]) -> Figure:
    return Figure(
        what=f"bulk: {what}",
        unit=unit,
        rounds=[of(each) for each in rounds],
        against="bare Klein, reading them",
        beside=[of(each) for each in beside],
    )
