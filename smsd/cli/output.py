"""Writes what a command found: for people, or with ``--json`` one JSON object a line."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Characters of a line that no terminal shows.
WIDE: Final = 10_000
_JSON: Final = "smsd.cli.json"


def _ask_for_json(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.meta[_JSON] = True  # shared by the contexts of all commands in one call


#: ``--json``, before or after the name of a command.
json_option: Final[Callable[[Any], Any]] = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_ask_for_json,
    help="Write JSON, one object a line.",
)


def is_json() -> bool:
    """Whether this command was asked for JSON."""
    return _JSON in click.get_current_context().meta


class Failed(click.ClickException):
    """A command cannot do what it was asked: with ``--json`` this too is told as JSON."""

    exit_code = 1

    def __init__(self, message: str, *, lines: Sequence[str] = (), fact: Mapping[str, Any] | None = None) -> None:
        """``lines`` tell people more than ``message``, and ``fact`` programs more than that it is an error."""
        super().__init__(message)
        self._lines = lines or (message,)
        self._fact = fact or {"message": message, "status": "error"}
        self._is_json = is_json()  # now, while the command still runs

    def show(self, file: Any = None) -> None:
        """Tell it on the way out."""
        if self._is_json:
            write_json(self._fact)
            return
        for line in self._lines:
            say(f"smsctl: {line}")


def write_json(fact: Mapping[str, Any]) -> None:
    """Write ``fact`` as one line of JSON."""
    click.echo(json.dumps(fact, ensure_ascii=False))


def write_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write ``rows`` under ``headings``."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(headings))
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading != headings[-1])
    for row in rows:
        table.add_row(*(Text(plain(_said(cell)), style=style(cell)) for cell in row))
    # What goes on to another program is not cut to the width of a terminal.
    width = None if sys.stdout.isatty() else WIDE
    Console(highlight=False, width=width).print(table)


def _said(cell: object) -> object:
    """``cell`` as people write it."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "-" if cell is None else cell


def write_facts(facts: Mapping[str, object]) -> None:
    """Write names and values, one pair a line; what is None is left out."""
    write_table(("", ""), ((name, value) for name, value in facts.items() if value is not None))


def say(text: str) -> None:
    """Write a line to people, who may be reading beside a pipe."""
    click.echo(plain(text), err=True)


def counted(number: int, noun: str) -> str:
    """``number`` of ``noun``, in words: 1 line, 2 lines."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain(value: object) -> str:
    """``value`` as text without what would move a terminal's cursor or change its colours."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in str(value))


_STYLES: Final = {
    "delivered": "green",
    "sent": "green",
    "ok": "green",
    "dead": "red",
    "undelivered": "red",
    "uncertain": "yellow",
    "expired": "yellow",
}


def style(value: object) -> str:
    """The colour of a state; none for any other text."""
    return _STYLES.get(str(value), "")
