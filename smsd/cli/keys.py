"""Makes, lists and revokes API keys."""

from typing import Any

import click

from smsd.cli.connection import Connection, pass_connection
from smsd.cli.output import is_json, json_option, say, write_json, write_table
from smsd.core.key import Role

_COLUMNS = ("name", "roles", "made_at", "last_used_at", "from")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def keys(context: click.Context) -> None:
    """List the API keys, and when each was last used; make or revoke one."""
    if context.invoked_subcommand is None:
        _write(context.find_object(Connection).ask("GET", "/keys")["keys"])  # type: ignore[union-attr]  # the group above makes it


@keys.command()
@click.argument("name")
@click.option(
    "-r",
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="What it may be used for; may be given more than once.",
)
@json_option
@pass_connection
def make(connection: Connection, name: str, roles: tuple[str, ...]) -> None:
    """Make a key called NAME. It is written once, and nobody can be told it again."""
    answer = connection.ask("POST", "/keys", json={"name": name, "roles": sorted(set(roles))})
    if is_json():
        write_json(answer)
        return
    click.echo(answer["key"])
    say("Keep it: it is not shown again.")


@keys.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_connection
def revoke(connection: Connection, name: str, yes: bool) -> None:
    """Take the key called NAME no more."""
    if not yes:
        click.confirm(f"Whoever uses the key {name} is refused from now on. Do that?", abort=True, err=True)
    answer = connection.ask("DELETE", f"/keys/{name}")
    if is_json():
        write_json(answer)
    else:
        say(f"{name} is revoked.")


def _write(found: list[dict[str, Any]]) -> None:
    if is_json():
        for key in found:
            write_json(key)
        return
    rows = [[_shown(key[column]) for column in _COLUMNS] for key in found]
    write_table([column.replace("_", " ").upper() for column in _COLUMNS], rows)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return ", ".join(value) if isinstance(value, list) else str(value)
