"""Sends one SMS, or a campaign from a file."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from smsd.api.validation import InvalidBody, SmsBody
from smsd.cli.bulk import Bulk, send_file
from smsd.cli.clock import now
from smsd.cli.connection import Connection, Refused, pass_connection
from smsd.cli.messages import given
from smsd.cli.output import counted, is_json, json_option, say, write_json
from smsd.core.message import Category

_BULK = "With --file: "


@click.command()
@click.argument("recipients", nargs=-1, metavar="[RECIPIENT...]")
@click.option("-o", "--originator", help="Whom it is from.")
@click.option("-m", "--message", help="The text; - reads it from the input. With --file, {COLUMN} stands for a cell.")
@click.option("--reference", help="A word of your own.")
@click.option("--priority", type=click.Choice(["high", "normal", "low"]), help="Which goes first.")
@click.option("--send-at", help="When it may first go, an RFC 3339 time with an offset.")
@click.option("--validity", type=int, help="For how many seconds it is worth sending.")
@click.option("--callback-url", help="Where its changes of state are posted.")
@click.option("--category", type=click.Choice([category.value for category in Category]), help="What it is for.")
@click.option("--datacoding", type=click.Choice(["auto", "plain", "unicode"]), help="How its text goes.")
@click.option("--key", help="The Idempotency-Key; one of its own unless given.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A CSV file with a heading; a line is an SMS.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help=_BULK + "where a field stands.")
@click.option("--delimiter", default=",", help=_BULK + "what stands between cells.", show_default=True)
@click.option("--chunk", type=click.IntRange(1, 10_000), default=500, show_default=True, help=_BULK + "SMS a request.")
@click.option("--skip-bad", is_flag=True, help=_BULK + "send the good lines though there are bad ones.")
@click.option("--again", is_flag=True, help=_BULK + "send it once more, though all of it was sent.")
@click.option("--in-doubt", type=click.Choice(["again", "skip"]), help=_BULK + "what to do with an old unsure chunk.")
@click.option("--journal", type=click.Path(path_type=Path), help=_BULK + "how far it got. [default: FILE.smsctl]")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("-y", "--yes", is_flag=True, help=_BULK + "do not ask.")
@json_option
@pass_connection
def send(
    connection: Connection, /, recipients: tuple[str, ...], path: Path | None, key: str | None, **options: Any
) -> None:
    """Send an SMS to one or more recipients, or one for each line of a --file."""
    fields = given({name: options.pop(name) for name in _FIELDS})
    if (path is None) == (not recipients):
        raise click.UsageError("Name recipients, or a --file.")
    if path is not None:
        texts = {name: str(value) for name, value in fields.items()}
        send_file(connection, path, texts, Bulk.of(path, **options))
        return
    to = {"recipient": recipients[0]} if len(recipients) == 1 else {"recipients": list(recipients)}
    if fields.get("message") == "-":
        fields["message"] = sys.stdin.read().removesuffix("\n")
    if options["dry_run"]:
        _say_segments({**to, **fields})
        return
    answer = connection.post({**to, **fields}, key or str(uuid4()))
    if is_json():
        write_json(answer)
    else:
        say(f"{answer['message']}: {counted(answer['segments'], 'segment')}, leaves at about {answer['eta']}.")
        click.echo(answer["id"])


_FIELDS = (
    "originator",
    "message",
    "reference",
    "priority",
    "send_at",
    "validity",
    "callback_url",
    "category",
    "datacoding",
)


def _say_segments(body: Mapping[str, Any]) -> None:
    try:
        cut = SmsBody(allow_private=True).parse(dict(body), now()).submissions[0].segmentation
    except InvalidBody as invalid:
        errors = [{"pointer": each.pointer, "message": each.message} for each in invalid.problems]
        raise Refused(400, {"message": str(invalid), "status": "error", "errors": errors}) from invalid
    if is_json():
        write_json({"message": "It could be sent", "status": "ok", "segments": cut.parts, "units": cut.units})
    else:
        say(f"It could be sent: {counted(cut.parts, 'segment')}, {cut.units} of {cut.parts * cut.per_part} units.")
