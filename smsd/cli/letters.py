"""Shows archived dead letters, and has them sent once more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from smsd.cli.cabinet import Cabinet
from smsd.cli.connection import Connection, Refused, pass_connection
from smsd.cli.output import Failed, is_json, json_option, say, write_json, write_table
from smsd.core.errors import SmsdError
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.moment import moment

_HEADINGS: Final = ("KEY", "TO", "FROM", "DIED", "WHY")


@click.group()
@click.option("--archive", "url", help="s3://BUCKET/PREFIX or file:///DIR, in place of SMSD_ARCHIVE.")
@click.option("-c", "--config", help="A settings file. [default: smsd.toml in this folder, if it exists]")
@json_option
@click.pass_context
def archive(context: click.Context, url: str | None, config: str | None) -> None:
    """Look into the archive of dead letters."""
    with _told():
        context.meta["smsd.cli.cabinet"] = Cabinet.opened(config, url)


_pass_cabinet: Final[Callable[[Any], Any]] = click.decorators.pass_meta_key("smsd.cli.cabinet")
_day = click.option("--day", default="", help="Only those that died on this day (2026-11-24) or in this month, in UTC.")


@archive.command("list")
@_day
@json_option
@_pass_cabinet
def list_letters(cabinet: Cabinet, day: str) -> None:
    """List letters, the oldest day first."""
    with _told():
        letters = ((key, cabinet.message(key)) for key in cabinet.keys(day))
        if is_json():
            for key, message in letters:
                write_json(_facts(key, message))
        else:
            write_table(_HEADINGS, ([*_facts(key, message).values()] for key, message in letters))


@archive.command()
@click.argument("key")
@json_option
@_pass_cabinet
def show(cabinet: Cabinet, key: str) -> None:
    """Show one letter whole, as it is kept."""
    with _told():
        click.echo(cabinet.letter(key).decode(), nl=False)


@archive.command()
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@_day
@click.option("--all", "is_all", is_flag=True, help="Every letter.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@_pass_cabinet
@pass_connection
def replay(connection: Connection, cabinet: Cabinet, keys: tuple[str, ...], day: str, is_all: bool, yes: bool) -> None:
    """Have letters sent once more: those named, those of a --day, or --all.

    A message that smsd still has as dead is queued again there; one that it has in any other state is left alone.
    """
    if [bool(keys), bool(day), is_all].count(True) != 1:
        raise click.UsageError("Name letters, or say --day or --all.")
    with _told():
        chosen = list(keys) or list(cabinet.keys(day))
        if not yes:
            click.confirm(f"Send {len(chosen)} messages once more?", abort=True, err=True)
        for key in chosen:
            _say(key, _replay(connection, cabinet.message(key)))


def _replay(connection: Connection, message: Message) -> dict[str, Any]:
    try:
        state = connection.ask("GET", f"/sms/{message.id}")["state"]
    except Refused as refused:
        if refused.status != 404:
            raise
        # One letter is one death, and goes once: with its key smsd knows a second try.
        taken = connection.post(_body(message), f"{message.id}-{message.changed_at:.3f}")
        return {"id": taken["id"], "done": "sent once more"}
    if state != State.DEAD.value:
        return {"id": message.id, "done": f"left alone: it is {state}"}
    connection.ask("POST", f"/sms/{message.id}/replay")
    return {"id": message.id, "done": "queued again"}


def _body(message: Message) -> dict[str, Any]:
    """``message`` as ``POST /sms`` takes it; without its validity, which may be over."""
    return {
        "recipients": [each.digits for each in message.remaining],
        "originator": message.originator.text,
        "message": message.body,
        "datacoding": message.coding.value,
        "priority": message.priority.name.lower(),
        **({"reference": message.reference} if message.reference else {}),
        **({"callback_url": message.callback_url} if message.callback_url else {}),
    }


def _facts(key: str, message: Message) -> dict[str, str]:
    numbers = [each.digits for each in message.recipients]
    to = numbers[0] if len(numbers) == 1 else f"{len(numbers)} recipients"
    return {
        "key": key,
        "recipient": to,
        "originator": message.originator.text,
        "died_at": moment(message.changed_at),
        "error": message.error,
    }


def _say(key: str, outcome: dict[str, Any]) -> None:
    if is_json():
        write_json({"key": key, **outcome})
    else:
        say(f"{key}: {outcome['done']} ({outcome['id']})")


@contextmanager
def _told() -> Iterator[None]:
    """Show an error of the archive as one of the command's."""
    try:
        yield
    except SmsdError as error:
        raise Failed(str(error)) from error
