"""Writes pages from templates, with times and counts as people read them."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from smsd.api.dashboard.look import Seen
from smsd.api.dashboard.sight import Sight
from smsd.core.lifecycle import OPEN, State
from smsd.core.message import Priority
from smsd.core.moment import moment

if TYPE_CHECKING:
    from jinja2 import Environment

_MOMENT: Final = re.compile(r"&lt;(\d{4}-\d\d-\d\dT[\d:.]+Z)&gt;")
#: Parts of the front page that change; each a template, and the id of an element.
_PARTS: Final = ("sentence", "now", "plots", "latest", "dead")


class Paint:
    """The templates that the package ships."""

    def __init__(self, *, sandboxed: bool) -> None:
        """Every page says so if the daemon is ``sandboxed``: no SMS leaves it."""
        self._sandboxed = sandboxed

    @cached_property
    def _jinja(self) -> "Environment":
        from jinja2 import Environment, PackageLoader, StrictUndefined  # 3 MB, once somebody looks

        jinja = Environment(
            loader=PackageLoader("smsd.api.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        jinja.filters |= {"when": when, "words": words, "age": age, "count": count, "rate": rate}
        jinja.globals |= {"priorities": tuple(Priority), "states": tuple(State), "open": OPEN, "State": State}
        jinja.globals["sandboxed"] = self._sandboxed
        return jinja

    def page(self, name: str, /, **given: Any) -> bytes:
        """The page ``name`` in UTF-8."""
        return self._jinja.get_template(f"{name}.html").render(given).encode()

    def parts(self, seen: Seen, sight: Sight) -> Mapping[str, str]:
        """What changes on the front page, by the ids of its elements, as ``sight`` shows it."""
        said = str(Markup(words(seen.sentence.words)).striptags())
        parts = {name: self._jinja.get_template(f"_{name}.html").render(seen=seen, sight=sight) for name in _PARTS}
        # What is spoken changes only with what it means.
        return {**parts, "spoken": f"{seen.sentence.key}\n{said}", "title": f"{said} · smsd"}


def when(at: float | None, short: bool = False) -> Markup:
    """A time; a script of ours writes it in the zone of whoever reads it."""
    if at is None:
        return Markup("–")
    text = moment(at)
    shown = text[11:19] if short else f"{text[:10]} {text[11:19]}"
    return Markup('<time datetime="{0}">{1} UTC</time>').format(text, shown)


def words(text: str) -> Markup:
    """A sentence of state, with its times marked as such."""
    marked = _MOMENT.sub(lambda at: f'<time datetime="{at[1]}">{at[1][11:19]} UTC</time>', str(escape(text)))
    return Markup(marked)  # escaped in the line before


def age(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return "–"
    left = int(max(0.0, seconds))
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60} min {left % 60:02} s"
    if left < 86_400:
        return f"{left // 3600} h {left % 3600 // 60:02} min"
    return f"{left // 86_400} d {left % 86_400 // 3600} h"


def count(number: int) -> str:
    """``1,204``."""
    return f"{number:,}"


def rate(value: float) -> str:
    """Requests a second in as few digits as say enough."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
