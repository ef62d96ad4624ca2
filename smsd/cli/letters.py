"""Shows the archive of dead letters."""

from typing import Final

import click

from smsd.cli.cabinet import CABINET, Cabinet, day_option, pass_cabinet, told
from smsd.cli.output import is_json, json_option, say, write_json, write_table
from smsd.cli.reviving import replay
from smsd.core.message import Message
from smsd.core.moment import moment

_HEADINGS: Final = ("KEY", "TO", "FROM", "DIED", "WHY")


@click.group()
@click.option("--archive", "url", help="s3://BUCKET/PREFIX, file:///DIR or kafka://…/TOPIC, in place of SMSD_ARCHIVE.")
@click.option("-c", "--config", help="A settings file. [default: smsd.toml in this folder, if it exists]")
@json_option
@click.pass_context
def archive(context: click.Context, url: str | None, config: str | None) -> None:
    """Look into the archive of dead letters."""
    context.meta[CABINET] = Cabinet.opened(config, url)


@archive.command("list")
@day_option
@json_option
@pass_cabinet
def list_letters(cabinet: Cabinet, day: str) -> None:
    """List letters, the oldest day first."""
    with told():
        letters = ((key, cabinet.message(key)) for key in cabinet.keys(day))
        if is_json():
            for key, message in letters:
                write_json(_facts(key, message))
        else:
            rows = [[*_facts(key, message).values()] for key, message in letters]
            write_table(_HEADINGS, rows) if rows else say("There are none.")


@archive.command()
@click.argument("key")
@json_option
@pass_cabinet
def show(cabinet: Cabinet, key: str) -> None:
    """Show one letter whole, as it is kept."""
    with told():
        click.echo(cabinet.letter(key).decode(), nl=False)


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


archive.add_command(replay)
