"""Tells how smsd is, and what happens."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import attrs
import click

from smsd.cli.clock import wait
from smsd.cli.connection import Connection, TryLater, pass_connection
from smsd.cli.figures import Figures
from smsd.cli.messages import row
from smsd.cli.output import is_json, json_option, plain, style, write_facts, write_json


@click.command()
@json_option
@pass_connection
@click.pass_context
def status(context: click.Context, connection: Connection) -> None:
    """Say whether messages are taken and sent, and how many wait. Exit code 3 when they are not."""
    is_ready, checks = connection.ready()
    try:
        figures = Figures.read(connection.metrics())
    except ValueError as error:
        raise TryLater(f"what answers at {connection.url} shows no metrics of smsd: {error}") from None
    if is_json():
        write_json({**checks, "figures": attrs.asdict(figures)})
    else:
        depth = ", ".join(f"{number} {state}" for state, number in sorted(figures.depth.items()))
        write_facts(
            {
                "smsd": checks["message"],
                **checks["checks"],
                "messages": depth or "none",
                "oldest that is due": f"{figures.oldest_s:.0f} s",
                "last one leaves in": f"{figures.eta_s:.0f} s",
                "pace": f"{figures.pace_used:.3g} of {figures.pace_allowed:.3g} requests a second",
                "takes nothing": ", ".join(figures.held) or None,
            }
        )
    context.exit(0 if is_ready else TryLater.exit_code)


@click.command()
@click.option("--every", type=click.FloatRange(min=0.2), default=2.0, show_default=True, help="Seconds between looks.")
@click.option("-n", "--newest", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many to watch.")
@click.option("--looks", type=click.IntRange(1), help="End after so many looks.")
@json_option
@pass_connection
def tail(connection: Connection, every: float, newest: int, looks: int | None) -> None:
    """Follow the newest messages: a line for each, and one whenever its state changes."""
    known: dict[str, str] = {}
    for look in count(1):
        found = list(connection.pages({}, newest))
        for each in reversed(found):
            if known.get(each["id"]) != each["state"]:
                _tell(each)
        known = {each["id"]: each["state"] for each in found}
        if look == looks:
            return
        wait(every)


def _tell(message: Mapping[str, Any]) -> None:
    if is_json():
        write_json(message)
        return
    id, state, to, originator, _, text = row(message)
    at = message["history"][-1]["at"]
    click.echo(f"{at} {id} {click.style(f'{state:<11}', fg=style(state) or None)} {originator} → {to}  {plain(text)}")
