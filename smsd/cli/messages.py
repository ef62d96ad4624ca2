"""Finds messages, calls them back, and queues dead ones again."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import click

from smsd.cli.connection import Connection, pass_connection
from smsd.cli.output import is_json, json_option, say, write_facts, write_json, write_table
from smsd.core.lifecycle import State

_HEADINGS: Final = ("ID", "STATE", "TO", "FROM", "ACCEPTED", "TEXT OR ERROR")


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that narrow down which messages are meant."""
    for name, what in (
        ("until", "Accepted before this RFC 3339 time."),
        ("since", "Accepted at this RFC 3339 time or later."),
        ("api-key", "The name of the API key it came under."),
        ("batch", "The id of its broadcast."),
        ("reference", "The client's own word for it."),
        ("originator", "Whom it says it is from."),
        ("recipient", "To whom it goes."),
    ):
        command = click.option(f"--{name}", help=what)(command)
    return command


@click.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Where it stands.")
@_filters
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@click.option("--all", "is_all", is_flag=True, help="All of them, whatever the limit.")
@json_option
@pass_connection
def list_messages(connection: Connection, /, limit: int, is_all: bool, **filters: str | None) -> None:
    """List messages, newest first."""
    write_messages(connection.pages(given(filters), None if is_all else limit))


@click.command()
@click.argument("id")
@json_option
@pass_connection
def show(connection: Connection, id: str) -> None:
    """Show a message or a broadcast, and its history."""
    found = connection.ask("GET", f"/sms/{id}")
    if is_json():
        write_json(found)
        return
    apart = ("message", "status", "history", "parts", "deliveries")
    facts = {name: _cell(value) for name, value in found.items() if name not in apart}
    write_facts({**facts, "text": found["message"]})
    for name in ("parts", "deliveries", "history"):
        if rows := found.get(name):
            click.echo()
            columns = [column for column in rows[0] if any(row[column] is not None for row in rows)]
            write_table([column.upper() for column in columns], ([_cell(row[c]) for c in columns] for row in rows))


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
@pass_connection
def cancel(connection: Connection, ids: tuple[str, ...]) -> None:
    """Call messages back while they wait."""
    write_messages(connection.ask("DELETE", f"/sms/{id}") for id in ids)


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "is_all", is_flag=True, help="Every dead message that the other options admit.")
@_filters
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_connection
def replay(connection: Connection, /, ids: tuple[str, ...], is_all: bool, yes: bool, **filters: str | None) -> None:
    """Queue dead messages again: those named, or --all that some options admit."""
    narrowed = given(filters)
    if bool(ids) == is_all or (ids and narrowed):
        raise click.UsageError("Name messages, or say --all and with which options.")
    if ids:
        write_messages(connection.ask("POST", f"/sms/{id}/replay") for id in ids)
        return
    if not yes:
        count = sum(1 for _ in connection.pages({**narrowed, "state": State.DEAD.value}))
        click.confirm(f"Queue {count} dead messages again?", abort=True, err=True)
    answer = connection.ask("POST", "/sms/replay", json=narrowed)
    if is_json():
        write_json(answer)
    else:
        say(f"{answer['count']} are queued again.")


def given(filters: Mapping[str, str | None]) -> dict[str, str]:
    """Those ``filters`` that were given."""
    return {name: value for name, value in filters.items() if value is not None}


def write_messages(messages: Iterable[Mapping[str, Any]]) -> None:
    """Write a line for each message; as JSON, each as soon as it is there."""
    if is_json():
        for each in messages:
            write_json(each)
        return
    rows = [row(each) for each in messages]
    if rows:
        write_table(_HEADINGS, rows)
    else:
        say("There are none.")


def row(message: Mapping[str, Any]) -> list[str]:
    """What a line tells of ``message``."""
    to = str(message["recipient"]) if "recipient" in message else f"{len(message['recipients'])} recipients"
    text = message["error"] or message["message"]
    return [message["id"], message["state"], to, message["originator"], message["accepted_at"], text]


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(map(str, value[:5])) + (f" and {len(value) - 5} more" if len(value) > 5 else "")
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return value if value != "" else None
