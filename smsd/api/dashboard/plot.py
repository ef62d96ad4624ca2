"""Draws counts over time as steps of an SVG picture."""

from collections.abc import Sequence
from typing import Final

import attrs

from smsd.api.dashboard.history import Span

#: Units of the picture; CSS says how large it is on the screen.
WIDTH: Final = 600
HEIGHT: Final = 120
#: A bar is at least so high: one that died among thousands is seen.
LEAST: Final = 4


@attrs.frozen(kw_only=True)
class Plot:
    """A picture, and the same in words."""

    accepted: str  #: points of a polyline
    sent: str
    dead: Sequence[tuple[float, float]]  #: bars from the ground: x and height
    bar: float  #: width of a bar
    top: int  #: the count at the upper edge
    total: Span  #: of all that is drawn
    unknown: float  #: width at the left of which nothing is known

    @classmethod
    def of(cls, spans: Sequence[Span], known: int) -> "Plot":
        """Draw ``spans``, oldest first; of those before the last ``known`` nothing is known."""
        first = max(0, len(spans) - known)
        top = _round_up(max((max(span.accepted, span.sent, span.dead) for span in spans), default=0))
        step = WIDTH / max(1, len(spans))
        return cls(
            accepted=_line([span.accepted for span in spans], first, top, step),
            sent=_line([span.sent for span in spans], first, top, step),
            dead=[(round(n * step, 1), max(LEAST, _high(span.dead, top))) for n, span in enumerate(spans) if span.dead],
            bar=round(step, 1),
            top=top,
            total=sum(spans, Span()),
            unknown=round(first * step, 1),
        )


def _line(counts: Sequence[int], first: int, top: int, step: float) -> str:
    return " ".join(
        f"{round(x * step, 1)},{round(HEIGHT - _high(count, top), 1)}"
        for n, count in list(enumerate(counts))[first:]
        for x in (n, n + 1)
    )


def _high(count: int, top: int) -> float:
    return round(count / top * (HEIGHT - 2), 1)


def _round_up(most: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 … that is at least ``most``."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            if factor * unit >= most:
                return factor * unit
        unit *= 10
