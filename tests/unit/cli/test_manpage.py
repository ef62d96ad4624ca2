"""The man page (``make docs`` writes it) has every command with every option, and is roff that man can show."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from smsd.cli.commands import smsctl

PAGE = (Path(__file__).parents[3] / "docs/smsctl.1").read_text()


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_command_is_there_with_its_options() -> None:
    sections = dict(re.findall(r"^\.SS ([a-z ]+[a-z])(?: .*)?\n((?:(?!\.S[SH]).*\n)*)", PAGE, re.MULTILINE))
    found = dict(commands(smsctl, "smsctl"))
    assert len(found) > 12
    assert sections.keys() == found.keys()
    for path, command in found.items():
        for option in (each for each in command.params if isinstance(each, click.Option) and not each.hidden):
            assert option.opts[-1].replace("-", r"\-") in sections[path], path


def test_no_line_begins_with_a_request_that_is_not_one() -> None:
    requests = {line.split()[0] for line in PAGE.splitlines() if line.startswith((".", "'"))}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".PP"}
