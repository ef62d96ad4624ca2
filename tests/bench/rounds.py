"""One round of load on a server."""

from collections.abc import Callable

import attrs

from tests.bench import usage
from tests.bench.load import Load
from tests.bench.servers import Server


@attrs.frozen(kw_only=True)
class Round:
    """What came of it."""

    load: Load
    spent_s: float  #: seconds of a core that the server and its children took

    @property
    def rate(self) -> float:
        """Requests a second that were answered as wanted."""
        return self.load.rate

    @property
    def p99_ms(self) -> float:
        """Milliseconds within which 99 of 100 answers came."""
        return self.load.quantile(0.99) * 1000

    @property
    def cpu_us(self) -> float:
        """Microseconds of a core for each request: it changes little with what else the machine does."""
        return self.spent_s / self.load.answers * 1e6


def measured(server: Server, load: Callable[[Server], Load]) -> Round:
    """Put ``load`` on ``server``, of which nothing may be refused."""
    before = server.cpu_s()
    came = load(server)
    assert not came.refused, f"{came.refused} of {came.answers + came.refused} were refused"
    return Round(load=came, spent_s=usage.spent_s(before, server.cpu_s()))
