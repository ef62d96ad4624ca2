"""Says when what waits should go."""

from collections.abc import Callable, Sequence

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.ports import ILedger


@attrs.frozen(kw_only=True)
class Arrival:
    """Where a message, or a broadcast, stands in line."""

    position: int | None  #: of the first that waits, 1 is next; None while nothing of it is in line
    eta: float  #: UTC epoch seconds; when the last should leave, if nothing else happens


class Arrivals:
    """Computes places and times from the ledger and the pace."""

    def __init__(self, *, ledger: ILedger, pace: Callable[[], float], now: Callable[[], float]) -> None:
        """``pace`` says how many requests a second the provider is given at the moment."""
        self._ledger = ledger
        self._pace = pace
        self._now = now

    async def of(self, messages: Sequence[Message]) -> Arrival | None:
        """When ``messages``, the parts of one whole in order, should go; None if none of them has a turn to come.

        Raises SpoolUnavailable, and UnknownMessage if they are gone.
        """
        waiting = [each for each in messages if each.state is State.QUEUED and not each.is_held]
        if not waiting:
            return None
        now = self._now()
        # What is scheduled begins at its time, and leaves at the pace like everything else.
        first = await self._ledger.ahead(waiting[0].id)
        last = first if len(waiting) == 1 else await self._ledger.ahead(waiting[-1].id)
        return Arrival(
            position=None if first is None or waiting[0].not_before > now else first + 1,
            eta=max(waiting[-1].not_before, now) + (last or 0) / self._pace(),
        )
