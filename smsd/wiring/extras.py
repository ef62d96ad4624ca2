"""Imports what is only there with an extra."""

from importlib import import_module
from typing import Any

from smsd.settings import Settings, SettingsError


def extra(module: str, name: str, setting: str) -> Any:
    """``module``, which the extra called ``name`` brings and ``setting`` asks for. Raises SettingsError."""
    try:
        return import_module(module)
    except ImportError as error:
        problem = f"{setting} needs more than is installed: pip install 'smsd[{name}]'."
        raise SettingsError(problems=(problem,)) from error


def librdkafka(settings: Settings) -> dict[str, str]:
    """What the client for Kafka is told by its own names."""
    return {name: value.reveal() for name, value in settings.kafka}
