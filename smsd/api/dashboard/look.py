"""Gathers what the front page shows, as it is at one moment."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from smsd.api.dashboard.history import History, Span
from smsd.api.dashboard.plot import Plot
from smsd.api.dashboard.state import Door, Glance, Sentence, sentence
from smsd.core.errors import SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.query import MAX_PAGE, Query
from smsd.core.standing import Standing
from smsd.pipeline.lane import Lane
from smsd.ports import IInbox, ILedger

#: Messages that the front page lists.
LATEST: Final = 10
#: Dead ones that it lists.
DEAD: Final = 5
#: Seconds between two counts of what is held for an operator's word.
HELD_S: Final = 5.0
#: Minutes of the two plots, and of a point in the second.
HOUR: Final = 60
DAY: Final = 24 * 60
DAY_EACH: Final = 10


@attrs.frozen(kw_only=True)
class Seen:
    """What the front page shows."""

    glance: Glance
    sentence: Sentence
    latest: Sequence[Message]  #: newest first
    dead: Sequence[Message]  #: newest first
    hour: Plot
    day: Plot
    pace_used: float  #: requests a second over the last minute
    rate: float  #: requests a second that were agreed
    since: float  #: UTC epoch seconds; the plots know nothing of before


class Look:
    """Looks at the spool, the gateways and the counts."""

    def __init__(
        self,
        *,
        inbox: IInbox,
        ledger: ILedger,
        lanes: Sequence[Lane],
        history: History,
        rate: float,
        stopped: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        """``lanes`` are those that messages go by, the first one first; ``rate`` is agreed, in requests a second.

        ``stopped`` says why messages are not taken, or cannot be read; empty while they are. ``now`` is in UTC epoch
        seconds.
        """
        self._inbox = inbox
        self._ledger = ledger
        self._lanes = lanes
        self._history = history
        self._rate = rate
        self._stopped = stopped
        self._now = now
        self._standing = Standing(depth={}, in_line={}, recipients=0, firsts={})
        self._latest: Sequence[Message] = ()
        self._dead: Sequence[Message] = ()
        self._held = 0
        self._held_at = -HELD_S

    async def take(self) -> Seen:
        """See how things are; while the spool cannot be read, how they last were."""
        stopped = self._stopped()
        try:
            self._standing = await self._inbox.standing()
            self._latest = await self._some(Query(limit=LATEST))
            self._dead = await self._some(Query(state=State.DEAD, limit=DEAD)) if self._dead_count() else ()
            await self._count_held()
        except SpoolUnavailable as error:
            stopped = stopped or error.reason
        return self._seen(stopped)

    def _seen(self, stopped: str) -> Seen:
        hour = self._history.spans(HOUR)
        glance = Glance(
            standing=self._standing,
            doors=[Door.of(lane) for lane in self._lanes],
            now=self._now(),
            stopped=stopped,
            # Those that were replayed since are no trouble any more.
            dead_lately=min(sum(hour, Span()).dead, self._dead_count()),
            held=self._held,
        )
        return Seen(
            glance=glance,
            sentence=sentence(glance),
            latest=self._latest,
            dead=self._dead,
            hour=Plot.of(hour, self._history.known()),
            day=Plot.of(self._history.spans(DAY, DAY_EACH), self._history.known(DAY_EACH)),
            pace_used=self._history.pace(),
            rate=self._rate,
            since=self._history.since,
        )

    def _dead_count(self) -> int:
        return self._standing.states[State.DEAD]

    async def _count_held(self) -> None:
        if abs(self._now() - self._held_at) >= HELD_S:
            self._held_at = self._now()
            self._held = len(await self._some(Query(is_held=True, limit=MAX_PAGE)))

    async def _some(self, query: Query) -> Sequence[Message]:
        return (await self._ledger.search(query)).messages
