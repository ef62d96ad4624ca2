"""What a daemon uses that has nothing to do, beside a bare Klein route that has nothing to do."""

import time

from tests.bench import usage
from tests.bench.figures import Figure, at_most
from tests.bench.servers import Server
from tests.bench.sizes import Sizes

_MEGABYTE = 1e6


def idle(bare: Server, smsd: Server, sizes: Sizes) -> list[Figure]:
    """Both are watched at once; neither may have served anything before."""
    beside, rounds = [], []
    time.sleep(sizes.warm_s)  # what is done once after a start
    for _ in range(sizes.rounds):
        before = bare.cpu_s(), smsd.cpu_s()
        begun = time.perf_counter()
        time.sleep(sizes.idle_s)
        took_s = time.perf_counter() - begun
        beside.append(usage.spent_s(before[0], bare.cpu_s()) / took_s * 100)
        rounds.append(usage.spent_s(before[1], smsd.cpu_s()) / took_s * 100)
    memory, little = usage.resident(smsd.pid) / _MEGABYTE, usage.resident(bare.pid) / _MEGABYTE
    against = "bare Klein, idle"
    busy = Figure(what="idle: CPU", unit="% of a core", rounds=rounds, against=against, beside=beside)
    space = Figure(what="idle: memory (RSS)", unit="MB", rounds=[memory], against=against, beside=[little])
    return [at_most(busy, 1), at_most(space, 80)]
