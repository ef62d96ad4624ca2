"""Measures accepts of smsd beside those of other gateways, and writes table and plot into docs.

python -m tests.bench.peers [--smoke] [--docs FOLDER]
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from tests.bench import accept, jasmin, kannel, page, servers
from tests.bench.figures import Figure, table
from tests.bench.load import Load, get_for
from tests.bench.plot import plot
from tests.bench.rounds import Round, measured
from tests.bench.servers import Server
from tests.bench.sizes import FULL, SMOKE, Sizes

TITLE = "Accepts of smsd, as a ratio to those of others"


@attrs.frozen
class Peer:
    """One that takes SMS, and how it is asked."""

    name: str
    server: Server
    load: Callable[[float], Callable[[Server], Load]]


def peers(folder: Path, stack: ExitStack) -> Iterator[Peer]:
    """All that are installed, running."""
    yield Peer("smsd, durable", stack.enter_context(servers.smsd(folder / "smsd")), accept.load)
    yield Peer("bare Klein", stack.enter_context(servers.bare()), accept.load)
    if kannel.is_there():
        for store in kannel.STORES:
            running = stack.enter_context(kannel.kannel(folder / store.replace(" ", "-"), store))
            yield Peer(f"Kannel, {store}", running, _getting(kannel.SEND, 202))
    if jasmin.is_there():
        yield Peer("Jasmin", stack.enter_context(jasmin.jasmin(folder / "jasmin")), _getting(jasmin.SEND, 200))


def _getting(path: str, wanted: int) -> Callable[[float], Callable[[Server], Load]]:
    def load(for_s: float) -> Callable[[Server], Load]:
        return lambda server: get_for(server.url + path, connections=accept.CONNECTIONS, for_s=for_s, wanted=wanted)

    return load


def measure(folder: Path, sizes: Sizes) -> Mapping[str, list[Round]]:
    """The rounds of each, in turns."""
    with ExitStack() as stack:
        running = list(peers(folder, stack))
        for each in running:
            each.load(sizes.warm_s)(each.server)
        rounds: dict[str, list[Round]] = {each.name: [] for each in running}
        for _ in range(sizes.rounds):
            for each in running:
                rounds[each.name].append(measured(each.server, each.load(sizes.round_s)))
    return rounds


def figures(rounds: Mapping[str, list[Round]]) -> list[Figure]:
    """smsd beside each of the others."""
    (_, ours), *others = rounds.items()
    return [
        Figure(
            what=f"{what}, beside {name}",
            unit=unit,
            rounds=[of(each) for each in ours],
            against=name,
            beside=[of(each) for each in theirs],
        )
        for what, unit, of in _KINDS
        for name, theirs in others
    ]


_KINDS: tuple[tuple[str, str, Callable[[Round], float]], ...] = (
    ("accepts", "/s", lambda each: each.rate),
    ("p99", "ms", lambda each: each.p99_ms),
    ("CPU for an accept", "µs", lambda each: each.cpu_us),
)


def main() -> None:
    """Measure, print, write."""
    given = page.arguments(str(__doc__))
    with TemporaryDirectory() as made:
        rounds = measure(Path(made), SMOKE if given.smoke else FULL)
        found = figures(rounds)
        text = f"{page.machine()}\n{table(found)}\n"
        print(text)
        docs = page.folder(given, Path(made))
        docs.joinpath("peers.svg").write_text(plot(TITLE, found))
        page.write(docs, "peers", f"{text}![{TITLE}](peers.svg)\n")


if __name__ == "__main__":
    main()
