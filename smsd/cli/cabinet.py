"""Reads the archive of dead letters without a reactor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from smsd.cli.configuration import WrongSettings, loaded
from smsd.cli.output import Failed
from smsd.core.errors import SmsdError
from smsd.core.letter import PREFIX, BadLetter, read
from smsd.core.message import Message
from smsd.ports import IArchive
from smsd.settings import SettingsError
from smsd.wiring.archive import archive_for

#: Where a command finds the cabinet of its call.
CABINET: Final = "smsd.cli.cabinet"
#: Gives a command this cabinet.
pass_cabinet: Final[Callable[[Any], Any]] = click.decorators.pass_meta_key(CABINET)
#: ``--day``, which picks letters.
day_option: Final[Callable[[Any], Any]] = click.option(
    "--day", default="", help="Only those that died on this day (2026-11-24) or in this month, in UTC."
)


class Cabinet:
    """The letters of one archive."""

    def __init__(self, archive: IArchive) -> None:
        """``archive`` calls its functions at once."""
        self._archive = archive

    @classmethod
    def opened(cls, config: str | None, url: str | None) -> "Cabinet":
        """The archive at ``url``, else the one that the daemon's settings name. Raises what click shows."""
        settings = loaded(config, archive=url)
        try:
            archive = archive_for(settings, maybeDeferred)
        except SettingsError as error:
            raise WrongSettings(error.problems) from error
        if archive is None:
            raise click.UsageError("There is no archive: set SMSD_ARCHIVE, or give --archive.")
        return cls(archive)

    def keys(self, day: str) -> Iterator[str]:
        """Every key of a ``day`` such as 2026-11-24, a month such as 2026-11, or at all; the oldest day first."""
        prefix, after = PREFIX + day.replace("-", "/"), ""
        while found := _result(self._archive.list(prefix, after)):
            yield from found
            after = found[-1]

    def letter(self, key: str) -> bytes:
        """What is kept under ``key``. Raises NoSuchLetter and ArchiveFailed."""
        body: bytes = _result(self._archive.get(key))
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``, unless something is there already. Raises ArchiveFailed."""
        _result(self._archive.put(key, body))

    def message(self, key: str) -> Message:
        """The message in the letter ``key``. Raises what click shows when it is no letter."""
        try:
            return read(self.letter(key))
        except BadLetter as error:
            raise Failed(f"{key}: {error}") from error


def _result(asked: Any) -> Any:
    """What ``asked`` comes to; nothing in it waits for a reactor."""
    results: list[Any] = []
    _ = Deferred.fromCoroutine(asked).addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


@contextmanager
def told() -> Iterator[None]:
    """Show an error of the archive as one of the command's."""
    try:
        yield
    except SmsdError as error:
        raise Failed(str(error)) from error
