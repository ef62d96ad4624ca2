"""How much is measured: enough for figures, or only enough to see that it runs."""

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Sizes:
    """One choice."""

    rounds: int
    round_s: float  #: seconds of load in a round
    warm_s: float  #: seconds of load before the first
    waiting: int  #: messages in the backlog
    leases: int  #: times that a hundred messages are leased and settled at an engine
    requests: int  #: to the provider, of 50 recipients each, in each round of dispatch
    idle_s: float  #: seconds of watching an idle daemon in a round


FULL: Final = Sizes(rounds=3, round_s=4, warm_s=5, waiting=1_000_000, leases=20, requests=4000, idle_s=10)
SMOKE: Final = Sizes(rounds=1, round_s=0.3, warm_s=0.2, waiting=3_000, leases=2, requests=100, idle_s=0.3)
