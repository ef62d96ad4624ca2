"""Collects what the toml file, the environment and the command line say, and every mistake in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import attrs

from smsd.settings.kinds import Wrong
from smsd.settings.schema import PREFIX, Setting

TOML_NAME: Final = "smsd.toml"
#: What ``smsctl`` is told in the same environment.
CLIENTS: Final = frozenset({"SMSD_URL", "SMSD_API_KEY"})
#: What follows is a name of librdkafka's, in its own words but for the dots.
KAFKA: Final = f"{PREFIX}KAFKA_"


@attrs.frozen(kw_only=True)
class _Given:
    """A value that somebody set, not looked at yet."""

    setting: Setting
    #: How its source calls it: ``SMSD_RATE``, ``--rate`` or ``rate in smsd.toml``.
    label: str
    value: object


def find_toml(config: str | None, directory: Path) -> Path | None:
    """The file to read: the one that ``--config`` names, else ``smsd.toml`` in ``directory`` if it exists."""
    if config is not None:
        return directory / config
    path = directory / TOML_NAME
    return path if path.exists() else None


def gather(
    settings: Sequence[Setting],
    environ: Mapping[str, str],
    options: Mapping[str, str | None],
    toml_path: Path | None,
) -> tuple[dict[str, Any], set[str], list[str]]:
    """The typed value of each field given, the fields of wrong values, and every problem as a sentence.

    A wrong value counts even where a later source wins over it. Reads ``toml_path`` unless it is None.
    """
    values: dict[str, Any] = {}
    wrong: set[str] = set()
    problems: list[str] = []
    for source in (
        _from_toml(settings, toml_path, problems),
        _from_environ(settings, environ, problems),
        _from_options(settings, options, problems),
    ):
        for given in source:
            try:
                values[given.setting.name] = given.setting.kind.parse(given.value)
            except Wrong as error:
                wrong.add(given.setting.name)
                problems.append(_refusal(given, str(error)))
    return values, wrong, problems


def _from_toml(settings: Sequence[Setting], path: Path | None, problems: list[str]) -> Iterator[_Given]:
    if path is None:
        return
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}.")
        return
    except ValueError as error:
        problems.append(f"{path} is not toml: {error}.")
        return
    known = {each.name: each for each in settings}
    for name, value in table.items():
        label = f"{name} in {path.name}"
        if name in known:
            yield _Given(setting=known[name], label=label, value=value)
        else:
            problems.append(_unknown(label, name, list(known)))


def _from_environ(settings: Sequence[Setting], environ: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    known = {each.env: each for each in settings}
    passed: dict[str, str] = {}
    for name, value in environ.items():
        if name in known:
            yield _Given(setting=known[name], label=name, value=value)
        elif name.startswith(KAFKA):
            passed[name.removeprefix(KAFKA).lower().replace("_", ".")] = value
        elif name.startswith(PREFIX) and name not in CLIENTS:
            problems.append(_unknown(name, name, list(known)))
    if passed:
        yield _Given(setting=known[KAFKA.rstrip("_")], label=f"{KAFKA}…", value=passed)


def _from_options(
    settings: Sequence[Setting], options: Mapping[str, str | None], problems: list[str]
) -> Iterator[_Given]:
    known = {each.option: each for each in settings}
    public = [each.option for each in settings if not each.secret]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None:
            continue
        if option not in known:
            problems.append(_unknown(option, option, public))
        elif known[option].secret:
            env = known[option].env
            problems.append(f"{option} would show a secret to everyone on this machine; set {env}.")
        else:
            yield _Given(setting=known[option], label=option, value=value)


def _unknown(label: str, name: str, known: list[str]) -> str:
    # Without the prefix, which would make all of them look alike.
    likeness = {each.removeprefix(PREFIX).lower(): each for each in known}
    nearest = get_close_matches(name.removeprefix(PREFIX).lower(), likeness, n=1, cutoff=0.0)[0]
    return f"{label} is not a setting of smsd; did you mean {likeness[nearest]}?"


def _refusal(given: _Given, detail: str) -> str:
    found = "not valid" if given.setting.secret else _shown(given.value)
    because = f" ({detail})" if detail else ""
    return f"{given.label} is {found}{because}; it must be {given.setting.kind.allowed}."


def _shown(value: object) -> str:
    # Without the user and password of a URL.
    return re.sub(r"://.*@", "://***@", repr(value))
