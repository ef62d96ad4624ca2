"""The types of settings that are more than a number or a text."""

from __future__ import annotations

import hmac
from enum import Enum
from pathlib import Path
from typing import TypeAlias

import attrs


class Secret:
    """A text that no log, traceback or ``repr`` shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)


@attrs.frozen(kw_only=True)
class ApiKey:
    """A key that may call the API."""

    #: Whose key it is: the name that logs and quotas show.
    name: str
    #: What the ``X-API-Key`` header has to hold.
    key: Secret


@attrs.frozen(kw_only=True)
class MemorySpoolUrl:
    """``memory:``: messages are kept in memory alone."""

    def __str__(self) -> str:
        return "memory:"


@attrs.frozen(kw_only=True)
class SqliteSpoolUrl:
    """``sqlite:///PATH``: messages are kept in an SQLite file."""

    #: Relative to the working directory unless absolute (four slashes in the URL).
    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


SpoolUrl: TypeAlias = MemorySpoolUrl | SqliteSpoolUrl


class LogFormat(Enum):
    """How a line of the log is written."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
