"""Measures smsd beside a bare Klein route, and writes table, plot and flame graph into docs.

python -m tests.bench [--smoke] [--docs FOLDER]
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import page, servers
from tests.bench.accept import accept
from tests.bench.backlog import backlog
from tests.bench.bulk import bulk
from tests.bench.dispatch import dispatch
from tests.bench.figures import Figure, table
from tests.bench.flame import flame
from tests.bench.idle import idle
from tests.bench.plot import plot
from tests.bench.sizes import FULL, SMOKE, Sizes

TITLE = "smsd, as a ratio to what stands beside it"
FLAME = """\
Where the time of an accept goes: [a flame graph](accept.svg) of the daemon and its accept processes under full load,
taken by py-spy in the same run (open the file itself: it can be searched and zoomed).
"""


def measure(folder: Path, sizes: Sizes, drawn: Path) -> Iterator[list[Figure]]:
    """Every part in turn; the flame graph goes to ``drawn``."""
    with servers.bare() as bare:
        with servers.smsd(folder / "idle") as smsd:
            yield idle(bare, smsd, sizes)
            yield accept(bare, smsd, sizes)
            flame(smsd, drawn, sizes.round_s)
        with servers.smsd(folder / "bulk") as smsd:
            yield bulk(bare, smsd, sizes)
        yield dispatch(bare, folder / "dispatch", sizes)
    yield backlog(folder / "backlog", sizes)


def main() -> None:
    """Measure, print, write."""
    given = page.arguments(str(__doc__))
    figures: list[Figure] = []
    with TemporaryDirectory() as made:
        docs = page.folder(given, Path(made))
        for part in measure(Path(made), SMOKE if given.smoke else FULL, docs / "accept.svg"):
            figures += part
            print(table(part), flush=True)
        docs.joinpath("performance.svg").write_text(plot(TITLE, figures))
        page.write(docs, "bench", f"{page.machine()}\n{table(figures)}\n![{TITLE}](performance.svg)\n\n{FLAME}")


if __name__ == "__main__":
    main()
