"""What it costs that a million messages wait: a daemon that has them, beside one that has few."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.bench import outbox, usage
from tests.bench.accept import load
from tests.bench.bulk import fill
from tests.bench.figures import Figure, at_least_the_ratio, at_most, at_most_the_ratio
from tests.bench.rounds import measured
from tests.bench.servers import Server, smsd
from tests.bench.sizes import Sizes

_MEGABYTE = 1e6


def backlog(folder: Path, sizes: Sizes) -> list[Figure]:
    """Both are alive at once, and take turns."""
    folder.mkdir()
    full, few = folder / "full", folder / "few"
    with smsd(full) as crowded, smsd(few) as roomy:
        fill(roomy, sizes.leases * outbox.TOGETHER)
        fill(crowded, sizes.waiting)
        size = sum(each.stat().st_size for each in full.glob("smsd.db*")) / sizes.waiting
        accepts = _accepts(crowded, roomy, sizes)
        memory = [usage.resident_of_all(each.pid) / _MEGABYTE for each in (crowded, roomy)]
    more = Figure(what=f"backlog: memory for {sizes.waiting:,} waiting", unit="MB more", rounds=[memory[0] - memory[1]])
    return [
        *accepts,
        *_outbox(full, few, sizes),
        at_most(more, 150),
        at_most(_starts(full, few, sizes), 3),
        Figure(what="backlog: spool file for each message", unit="octets", rounds=[size]),
    ]


def _accepts(crowded: Server, roomy: Server, sizes: Sizes) -> list[Figure]:
    for each in (crowded, roomy):
        load(sizes.warm_s / 2)(each)
    rounds, beside = [], []
    for _ in range(sizes.rounds):
        beside.append(measured(roomy, load(sizes.round_s / 2)))
        rounds.append(measured(crowded, load(sizes.round_s / 2)))
    rates = _figure("accepts", "/s", [each.rate for each in rounds], [each.rate for each in beside])
    costs = _figure("CPU for an accept", "µs", [each.cpu_us for each in rounds], [each.cpu_us for each in beside])
    return [at_least_the_ratio(rates, 0.5), at_most_the_ratio(costs, 2)]


def _outbox(full: Path, few: Path, sizes: Sizes) -> list[Figure]:
    turns: dict[Path, list[outbox.Took]] = {full: [], few: []}
    with outbox.opened(full) as crowded, outbox.opened(few) as roomy:
        for _ in range(sizes.leases):
            turns[few].append(roomy.turn())
            turns[full].append(crowded.turn())
    leases, settles = (
        _figure(
            f"{what} of {outbox.TOGETHER}",
            "ms",
            [median(getattr(each, name) for each in turns[full])],
            [median(getattr(each, name) for each in turns[few])],
        )
        for what, name in (("lease", "lease_ms"), ("settle", "settle_ms"))
    )
    return [at_most_the_ratio(leases, 2), at_most_the_ratio(settles, 2)]


def _starts(full: Path, few: Path, sizes: Sizes) -> Figure:
    took: dict[Path, list[float]] = {full: [], few: []}
    for _ in range(sizes.rounds):
        for each in (few, full):
            with smsd(each) as started:
                took[each].append(started.ready_s)
    return _figure("ready after a start", "s", took[full], took[few])


def _figure(what: str, unit: str, rounds: Sequence[float], beside: Sequence[float]) -> Figure:
    return Figure(what=f"backlog: {what}", unit=unit, rounds=rounds, against="few waiting", beside=beside)
