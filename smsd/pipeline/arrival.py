"""Says when what waits should go."""

from collections.abc import Callable, Sequence

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.outlook import Outlook
from smsd.ports import ILedger


@attrs.frozen(kw_only=True)
class Arrival:
    """Where a message, or a broadcast, stands in line."""

    position: int | None  #: of the first that waits, 1 is next; None while nothing of it is in line
    eta: float  #: UTC epoch seconds; when the last should leave, if nothing else happens


class Arrivals:
    """Computes places and times from the ledger and the pace."""

    def __init__(self, *, ledger: ILedger, outlook: Callable[[], Outlook], now: Callable[[], float]) -> None:
        """``outlook`` says when the provider can be given requests, as of now."""
        self._ledger = ledger
        self._outlook = outlook
        self._now = now

    async def of(self, messages: Sequence[Message]) -> Arrival | None:
        """When ``messages``, the parts of one whole in order, should go; None if none of them has a turn to come.

        Raises SpoolUnavailable, and UnknownMessage if they are gone.
        """
        waiting = [each for each in messages if each.state is State.QUEUED and not each.is_held]
        if not waiting:
            return None
        first = await self._ledger.ahead(waiting[0].id)
        last = first if len(waiting) == 1 else await self._ledger.ahead(waiting[-1].id)
        now, outlook = self._now(), self._outlook()
        if first is None or last is None:
            return None  # it was called off, or held, just now
        return Arrival(
            position=None if waiting[0].not_before > now else first.first + 1,
            eta=now + outlook.arrival_s(last.last, waiting[-1].not_before - now, last.then),
        )
