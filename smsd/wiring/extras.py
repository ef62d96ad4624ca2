"""Imports what is only there with an extra."""

from importlib import import_module
from typing import Any

from smsd.settings import SettingsError


def extra(module: str, name: str, setting: str) -> Any:
    """``module``, which the extra called ``name`` brings and ``setting`` asks for. Raises SettingsError."""
    try:
        return import_module(module)
    except ImportError as error:
        problem = f"{setting} needs more than is installed: pip install 'smsd[{name}]'."
        raise SettingsError(problems=(problem,)) from error
