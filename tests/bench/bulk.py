"""How many SMS are accepted in arrays of 1,000, beside a bare Klein route that reads the same arrays."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Final

from tests.bench.accept import SMS, number
from tests.bench.figures import Figure, at_least
from tests.bench.load import Load, post_for
from tests.bench.rounds import Round, measured
from tests.bench.servers import Server
from tests.bench.sizes import Sizes

ARRAY: Final = 1000
CONNECTIONS: Final = 4
#: Different arrays, so that no text comes again soon.
ARRAYS: Final = 50


def arrays(text: str = "Order {} is on its way.") -> Sequence[bytes]:
    """As a campaign posts them: each SMS has its own recipient, and its own text if the text has a place for that."""
    return [_array(number * ARRAY, text) for number in range(ARRAYS)]


def _array(first: int, text: str) -> bytes:
    numbers = range(first, first + ARRAY)
    return json.dumps([SMS | {"recipient": number(each), "message": text.format(each)} for each in numbers]).encode()


def load(bodies: Sequence[bytes], *, for_s: float) -> Callable[[Server], Load]:
    """Arrays for ``for_s`` seconds."""
    return lambda server: post_for(server.sms, bodies, connections=CONNECTIONS, for_s=for_s, headers=server.headers)


def fill(server: Server, messages: int) -> Load:
    """Have ``server`` keep at least ``messages``, in arrays."""
    most = math.ceil(messages / ARRAY)
    return post_for(server.sms, arrays(), connections=min(CONNECTIONS, most), most=most, headers=server.headers)


def bulk(bare: Server, smsd: Server, sizes: Sizes) -> list[Figure]:
    """Alternated rounds, with one text for all and with as many texts as SMS."""
    kinds = {"one text": arrays("This is a test message."), "own texts": arrays()}
    load(kinds["own texts"], for_s=sizes.warm_s / 5)(smsd)
    found: list[Figure] = []
    for kind, bodies in kinds.items():
        beside, rounds = [], []
        for _ in range(sizes.rounds):
            beside.append(measured(bare, load(bodies, for_s=sizes.round_s / 2)))
            rounds.append(measured(smsd, load(bodies, for_s=sizes.round_s)))
        found += _figures(kind, rounds, beside)
    return found


def _figures(kind: str, rounds: Sequence[Round], beside: Sequence[Round]) -> list[Figure]:
    def figure(what: str, unit: str, of: Callable[[Round], float]) -> Figure:
        return Figure(
            what=f"bulk, {kind}: {what}",
            unit=unit,
            rounds=[of(each) for each in rounds],
            against="bare Klein, reading them",
            beside=[of(each) for each in beside],
        )

    return [
        at_least(figure("SMS", "/s", lambda each: each.rate * ARRAY), 100_000),
        figure("the answer's p99", "ms", lambda each: each.p99_ms),
        figure("CPU for an SMS", "µs", lambda each: each.cpu_us / ARRAY),
    ]
