"""Writes down texts that PostgreSQL does not take as they are: those with U+0000 in them."""

from typing import Any, Final

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown
from psycopg.types.string import TextLoader as PlainLoader

#: Stands before what is written otherwise: U+001A SUBSTITUTE, which is rare, and is itself written twice.
_MARK: Final = "\x1a"


class TextDumper(StrDumperUnknown):
    """Any text, so that TextLoader reads it again; the server sees by its place of what type it is."""

    def dump(self, obj: str) -> Any:
        """``obj`` as PostgreSQL takes it."""
        if _MARK in obj or "\0" in obj:
            obj = obj.replace(_MARK, _MARK * 2).replace("\0", f"{_MARK}0")
        return super().dump(obj)


class TextLoader(PlainLoader):
    """The text that TextDumper has written."""

    def load(self, data: Buffer) -> Any:
        """The text as it was."""
        text = super().load(data)
        if not isinstance(text, str) or _MARK not in text:
            return text
        return _MARK.join(part.replace(f"{_MARK}0", "\0") for part in text.split(_MARK * 2))
