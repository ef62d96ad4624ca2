"""The settings of smsd: one frozen tree, read once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from smsd.core.errors import SmsdError
from smsd.settings.conflicts import conflicts
from smsd.settings.sources import gather
from smsd.settings.tree import DEMO_KEY, MESSAGEBIRD_ADDRESS, SETTINGS, Settings
from smsd.settings.types import Secret

__all__ = ["DEMO_KEY", "SANDBOX_KEY", "SETTINGS", "Settings", "SettingsError", "load"]

SANDBOX_KEY: Final = Secret("test_sandbox")


@attrs.frozen(kw_only=True)
class SettingsError(SmsdError):
    """These settings are wrong: {problems}."""

    problems: tuple[str, ...]  #: every problem found, each a sentence; no secret is in any

    def __str__(self) -> str:
        return "\n".join(self.problems)


def load(environ: Mapping[str, str], options: Mapping[str, str | None], toml_path: Path | None) -> Settings:
    """Read every source once: defaults, then the toml file, then ``environ``, then ``options``; later wins.

    ``options`` go by a field's name, with ``-`` or ``_``; those that are None were not given. Only
    ``toml_path`` is read, and only when it is not None. Raises SettingsError with all problems at once.
    """
    values, wrong, problems = gather(SETTINGS, environ, options, toml_path)
    settings = Settings(**values)
    # A rule about a value that was refused above would only confuse.
    problems += [text for names, text in conflicts(settings) if wrong.isdisjoint(names)]
    if problems:
        raise SettingsError(problems=tuple(problems))
    return _completed(settings)


def _completed(settings: Settings) -> Settings:
    if not settings.knows_messagebird:
        return settings
    return attrs.evolve(
        settings,
        messagebird_key=settings.messagebird_key or SANDBOX_KEY,
        messagebird_url=settings.messagebird_url or MESSAGEBIRD_ADDRESS,
    )
