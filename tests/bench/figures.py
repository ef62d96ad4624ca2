"""What was measured, and the table that shows it."""

import statistics
from collections.abc import Iterable, Sequence

import attrs


@attrs.frozen(kw_only=True)
class Figure:
    """One thing that was measured in some rounds, beside something else in the same run."""

    what: str
    unit: str
    rounds: Sequence[float]
    against: str = ""  #: what stands beside it
    beside: Sequence[float] = ()  #: that, in the same unit and the rounds between; none: there is nothing to compare
    wish: str = ""  #: what it should be, in words
    holds: bool | None = None  #: whether it is; None: nothing is wished

    @property
    def median(self) -> float:
        """The median of its rounds."""
        return statistics.median(self.rounds)

    @property
    def ratio(self) -> float | None:
        """The median over the median of what is beside it."""
        other = statistics.median(self.beside) if self.beside else 0.0
        return self.median / other if other else None

    def wished(self, wish: str, holds: bool) -> "Figure":
        """The same, with what it should be."""
        return attrs.evolve(self, wish=wish, holds=holds)


def at_least_the_ratio(figure: Figure, least: float) -> Figure:
    """``figure``, which should be at least ``least`` of what is beside it."""
    return figure.wished(f"≥ {least:g} ×", (figure.ratio or 0.0) >= least)


def at_most_the_ratio(figure: Figure, most: float) -> Figure:
    """``figure``, which should be at most ``most`` of what is beside it."""
    return figure.wished(f"≤ {most:g} ×", figure.ratio is not None and figure.ratio <= most)


def at_least(figure: Figure, least: float) -> Figure:
    """``figure``, which should be at least ``least`` of its unit."""
    return figure.wished(f"≥ {shown(least)} {figure.unit}", figure.median >= least)


def at_most(figure: Figure, most: float) -> Figure:
    """``figure``, which should be at most ``most`` of its unit."""
    return figure.wished(f"≤ {shown(most)} {figure.unit}", figure.median <= most)


def shown(value: float) -> str:
    """A number as people read it: three digits or all before the point."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(figures: Iterable[Figure]) -> str:
    """A table in Markdown."""
    lines = ["| what | median | rounds | beside it | ratio | wish |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    return "\n".join(lines + [_line(each) for each in figures]) + "\n"


def _line(each: Figure) -> str:
    rounds = ", ".join(shown(value) for value in each.rounds)
    beside = f"{shown(statistics.median(each.beside))} ({each.against})" if each.beside else ""
    ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
    wish = "" if each.holds is None else f"{each.wish}: {'yes' if each.holds else '**no**'}"
    return f"| {each.what} | {shown(each.median)} {each.unit} | {rounds} | {beside} | {ratio} | {wish} |"
