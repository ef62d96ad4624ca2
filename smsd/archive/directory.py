"""Keeps letters as files in a directory."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from smsd.core.letter import ArchiveFailed, NoSuchLetter
from smsd.ports import IArchive

#: Keys of one answer to ``list``.
PAGE: Final = 1000
#: No part begins with a full stop, so none leads out of the directory, and none is taken for a file half written.
_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@implementer(IArchive)
class DirectoryArchive:
    """One file a letter, for its owner's eyes; a file is there whole or not at all, and is never replaced."""

    def __init__(self, root: Path, *, defer: Callable[..., Deferred[Any]], page: int = PAGE) -> None:
        """Keep letters below ``root``, which is made at need; a list has ``page`` keys.

        ``defer`` calls a function in a thread.
        """
        self._root = root
        self._page = page
        self._defer = defer

    async def put(self, key: str, body: bytes) -> None:
        """See IArchive."""
        await self._defer(self._put, key, body)

    async def list(self, prefix: str, after: str = "") -> Sequence[str]:
        """See IArchive."""
        found: Sequence[str] = await self._defer(self._list, prefix, after)
        return found

    async def get(self, key: str) -> bytes:
        """See IArchive."""
        body: bytes = await self._defer(self._get, key)
        return body

    def _put(self, key: str, body: bytes) -> None:
        path = self._path(key)
        try:
            _make(path.parent)
            _write(path, body)
        except OSError as error:
            raise _failed(error) from None

    def _get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NoSuchLetter(key=key) from None
        except OSError as error:
            raise _failed(error) from None

    def _list(self, prefix: str, after: str) -> Sequence[str]:
        try:
            return list(islice(_keys(self._root, "", prefix, after), self._page))
        except OSError as error:
            raise _failed(error) from None

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ArchiveFailed(reason="that is no key")
        return self._root / key


def _make(folder: Path) -> None:
    """Make ``folder`` durably, and what it is in."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync(folder.parent)


def _write(path: Path, body: bytes) -> None:
    descriptor, half = tempfile.mkstemp(prefix=".", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(half, path)  # a rename would replace what is there
        except FileExistsError:
            return
        _sync(path.parent)
    finally:
        os.unlink(half)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keys(folder: Path, name: str, prefix: str, after: str) -> Iterator[str]:
    """Every key below ``folder``, whose own key is ``name``, in order; folders that cannot hold one are passed over."""
    if not folder.is_dir():
        return
    # In the order of whole keys, in which a folder sorts with the slash that follows it.
    for key, entry in sorted((name + each.name + "/" * each.is_dir(), each) for each in os.scandir(folder)):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            if key.startswith(prefix) and key > after:
                yield key
        elif (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
            yield from _keys(Path(entry.path), key, prefix, after)


def _failed(error: OSError) -> ArchiveFailed:
    return ArchiveFailed(reason=error.strerror or type(error).__name__)
