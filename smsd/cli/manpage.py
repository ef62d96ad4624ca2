"""Writes the man page of ``smsctl`` from its commands (``make docs``)."""

import sys
from collections.abc import Iterator
from typing import Final

import click

from smsd.cli.commands import smsctl

_ENVIRONMENT: Final = (
    ("SMSD_URL", "Where smsd is."),
    ("SMSD_API_KEY", "The API key."),
    ("SMSD_ARCHIVE", "The archive of dead letters: s3://BUCKET/PREFIX, file:///DIR or kafka://HOST:PORT,…/TOPIC."),
)
_CODES: Final = (
    ("0", "Done."),
    ("1", "smsd said no, or the settings, the file or the letter are wrong."),
    ("2", "Wrong use, or a file that cannot be read."),
    ("3", "Try again later."),
    ("130", "Interrupted, or nobody there to answer a question."),
)


def render() -> str:
    """The page, in man(7)'s macros."""
    root = click.Context(smsctl, info_name="smsctl")
    lines = [
        ".TH SMSCTL 1",
        ".SH NAME",
        r"smsctl \- ask smsd, and tell it what to do",
        ".SH SYNOPSIS",
        r"\fBsmsctl\fR [OPTIONS] COMMAND [ARGS]...",
        ".SH OPTIONS",
        *_options(smsctl, root),
        ".SH COMMANDS",
        *_commands(smsctl, root),
        ".SH ENVIRONMENT",
        *_list(_ENVIRONMENT),
        ".SH EXIT STATUS",
        *_list(_CODES),
    ]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.commands[name]
        own = click.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(own))
        yield f".SS {_plain(own.command_path)} {_plain(usage)}"
        for number, paragraph in enumerate((command.help or "").replace("\b\n", "").split("\n\n")):
            yield from [".PP"] * (number > 0)
            yield _plain(" ".join(paragraph.split()))
        yield from _options(command, own)
        if isinstance(command, click.Group):
            yield from _commands(command, own)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    yield from _list(record for record in records if record is not None and record[1])


def _list(entries: "Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]") -> Iterator[str]:
    for term, meaning in entries:
        yield from (".TP", rf"\fB{_plain(term)}\fR", _plain(meaning))


def _plain(text: str) -> str:
    """``text`` without anything that roff would take for its own."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + escaped if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(render())
