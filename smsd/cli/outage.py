"""Decides over what is held since an outage."""

import click

from smsd.cli.connection import Connection, pass_connection
from smsd.cli.messages import write_messages
from smsd.cli.output import is_json, json_option, say, write_json

_HELD = {"held": "yes"}


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def held(context: click.Context) -> None:
    """List what is held since an outage; send or expire it."""
    if context.invoked_subcommand is None:
        write_messages(context.find_object(Connection).pages(_HELD))  # type: ignore[union-attr]  # the group above makes it


@held.command()
@click.option("--newer-than", metavar="TIME", help="Only what was accepted since this RFC 3339 time; expire the rest.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_connection
def send(connection: Connection, newer_than: str | None, yes: bool) -> None:
    """Let it go."""
    _decide(connection, {"action": "send"} | ({"newer_than": newer_than} if newer_than else {}), yes)


@held.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_connection
def expire(connection: Connection, yes: bool) -> None:
    """Never send it."""
    _decide(connection, {"action": "expire"}, yes)


def _decide(connection: Connection, decision: dict[str, str], yes: bool) -> None:
    if not yes:
        count = sum(1 for _ in connection.pages(_HELD))
        click.confirm(f"{count} are held. Do that?", abort=True, err=True)
    answer = connection.ask("POST", "/held", json=decision)
    if is_json():
        write_json(answer)
    else:
        say(f"{answer['sent']} go, {answer['expired']} are expired.")
