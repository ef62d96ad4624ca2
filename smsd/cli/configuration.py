"""Checks settings without starting anything."""

import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import click

from smsd.cli.output import Failed, is_json, json_option, say, write_facts, write_json
from smsd.settings import SETTINGS, Settings, SettingsError, load
from smsd.settings.sources import find_toml
from smsd.settings.types import PerKey


class WrongSettings(Failed):
    """The daemon would not start with these settings."""

    def __init__(self, problems: Sequence[str]) -> None:
        message = "\n".join(problems)
        super().__init__(message, lines=problems, fact={"message": message, "status": "error", "problems": problems})


def loaded(path: str | None, **options: str | None) -> Settings:
    """The settings as the daemon reads them from here. Raises WrongSettings."""
    try:
        return load(os.environ, options, find_toml(path, Path.cwd()))
    except SettingsError as error:
        raise WrongSettings(error.problems) from error


@click.group()
@json_option
def config() -> None:
    """Look at the daemon's settings."""


@config.command()
@click.option("-c", "--config", "path", help="A settings file. [default: smsd.toml in this folder, if it exists]")
@json_option
def check(path: str | None) -> None:
    """Read the settings exactly as the daemon would here, and say what is wrong with them."""
    settings = loaded(path)
    shown = {each: _shown(getattr(settings, each.name)) for each in SETTINGS if not each.secret}
    if is_json():
        values = {each.name: value for each, value in shown.items()}
        write_json({"message": "The settings are good", "status": "ok", "settings": values})
    else:
        write_facts({each.name: _said(value, each.unit) for each, value in shown.items()})
        if settings.sandboxed:
            say(
                "No SMSD_MESSAGEBIRD_KEY is set: the built-in sandbox takes all messages, and none leaves this machine."
            )
        say("The settings are good.")


def _said(value: str | int | float | None, unit: str) -> str | bool | None:
    """``value`` as it may stand in the settings, and what it counts."""
    match value:
        case None | bool():
            return value
        case float():
            return f"{value:g} {unit}".rstrip()
        case _:
            return f"{value} {unit}".rstrip()


def _shown(value: Any) -> str | int | float | None:
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return str(value.value)
        case PerKey():
            return ", ".join(f"{name}={each}" if name else str(each) for name, each in value.entries) or None
        case _:
            return str(value) or None
