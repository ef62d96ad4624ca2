"""Draws ratios as an SVG: a bar for each median, a dot for each round."""

import math
from collections.abc import Callable, Sequence
from html import escape
from statistics import median
from typing import Final

from tests.bench.figures import Figure, shown

_ROW: Final = 26
_LEFT: Final = 390
_WIDTH: Final = 520
_RIGHT: Final = 90
_TOP: Final = 40
#: The scale is logarithmic: half as much is as far from the line as twice as much.
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#24292f}.bar{fill:#4c8dd6}.dot{fill:#0b3d75}"
    ".one{stroke:#24292f;stroke-width:1.5}.grid{stroke:#d0d7de}rect.paper{fill:#fff}"
)


def plot(title: str, figures: Sequence[Figure]) -> str:
    """Those of ``figures`` that stand beside something, on one scale."""
    rows = [each for each in figures if each.ratio]
    ratios = [ratio for each in rows for ratio in _ratios(each)]
    low, high = min([0.5, *ratios]), max([2.0, *ratios])

    def x(ratio: float) -> float:
        return _LEFT + _WIDTH * math.log(ratio / low) / math.log(high / low)

    height = _TOP + _ROW * len(rows) + 30
    width = _LEFT + _WIDTH + _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"><style>{_STYLE}</style>',
        f'<title>{escape(title)}</title><rect class="paper" width="{width}" height="{height}"/>',
        f'<text x="10" y="22" style="font-weight:bold">{escape(title)}</text>',
        *(_grid(x(each), each, height) for each in _ticks(low, high)),
    ]
    for number, each in enumerate(rows):
        parts += _bar(each, _TOP + _ROW * number, x)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _ratios(figure: Figure) -> list[float]:
    beside = median(figure.beside)
    return [each / beside for each in (*figure.rounds, figure.median) if each > 0]


def _ticks(low: float, high: float) -> list[float]:
    return [base * 10.0**power for power in range(-3, 4) for base in (1, 2, 5) if low <= base * 10.0**power <= high]


def _grid(x: float, ratio: float, height: int) -> str:
    kind = "one" if ratio == 1 else "grid"
    line = f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height - 24}"/>'
    return f'{line}<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{shown(ratio)} ×</text>'


def _bar(figure: Figure, y: int, x: Callable[[float], float]) -> list[str]:
    ratio = figure.ratio or 1.0
    left, right = sorted((x(1.0), x(ratio)))
    *rounds, _ = _ratios(figure)
    return [
        f'<text x="{_LEFT - 12}" y="{y + 15}" text-anchor="end">{escape(figure.what)}</text>',
        f'<rect class="bar" x="{left:.1f}" y="{y + 4}" width="{max(right - left, 1):.1f}" height="14"/>',
        *(f'<circle class="dot" cx="{x(each):.1f}" cy="{y + 11}" r="2.5"/>' for each in rounds),
        f'<text x="{max(x(each) for each in (1.0, ratio, *rounds)) + 8:.1f}" y="{y + 15}">{ratio:.2f}</text>',
    ]
