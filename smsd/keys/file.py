"""Keeps API keys, as hashes, in one small file that several processes may share."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smsd.core.errors import KeysUnavailable, NameTaken, UnknownKey
from smsd.core.key import MadeKey, Role
from smsd.ports import IKeyStore

#: The version of the file's form.
VERSION: Final = 1


@implementer(IKeyStore)
class KeyFile:
    """A JSON file for its owner's eyes; it is there whole or not at all, and changed by one process at a time."""

    def __init__(self, path: Path, *, defer: Callable[..., Deferred[Any]]) -> None:
        """Keep keys at ``path``, which is made with the first key; ``defer`` calls a function in a thread."""
        self._path = path
        self._defer = defer
        self._stamp: tuple[int, ...] | None = None
        self._keys: tuple[MadeKey, ...] = ()

    def open(self) -> Sequence[MadeKey]:
        """See IKeyStore."""
        return self._read()

    async def keys(self) -> Sequence[MadeKey]:
        """See IKeyStore."""
        found: Sequence[MadeKey] = await self._defer(self._read)
        return found

    async def add(self, key: MadeKey) -> None:
        """See IKeyStore."""

        def added(keys: dict[str, MadeKey]) -> None:
            if key.name in keys:
                raise NameTaken(name=key.name)
            keys[key.name] = key

        await self._defer(self._change, added)

    async def remove(self, name: str) -> None:
        """See IKeyStore."""

        def removed(keys: dict[str, MadeKey]) -> None:
            if keys.pop(name, None) is None:
                raise UnknownKey(name=name)

        await self._defer(self._change, removed)

    async def note_uses(self, uses: Mapping[str, float]) -> None:
        """See IKeyStore."""

        def noted(keys: dict[str, MadeKey]) -> None:
            for name in uses.keys() & keys.keys():
                keys[name] = attrs.evolve(keys[name], used_at=max(uses[name], keys[name].used_at or 0.0))

        await self._defer(self._change, noted)

    def _read(self) -> tuple[MadeKey, ...]:
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._keys, self._stamp = _load(self._path), stamp
        except FileNotFoundError:
            self._keys, self._stamp = (), None
        except OSError as error:
            raise _unavailable(self._path, error) from None
        return self._keys

    def _change(self, step: Callable[[dict[str, MadeKey]], None]) -> None:
        try:
            with _locked(self._path):
                keys = {key.name: key for key in self._read()}
                step(keys)
                _write(self._path, [_row(keys[name]) for name in sorted(keys)])
        except OSError as error:
            raise _unavailable(self._path, error) from None


def _stamp(path: Path) -> tuple[int, ...]:
    # Each change is another file in its place, so that the inode alone nearly always tells.
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _load(path: Path) -> tuple[MadeKey, ...]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["version"] != VERSION:
            raise KeysUnavailable(reason=f"{path} is of version {told['version']}, not {VERSION}")
        return tuple(_key(row) for row in told["keys"])
    except (ValueError, KeyError, TypeError):
        raise KeysUnavailable(reason=f"{path} is no file of keys") from None


def _key(row: Mapping[str, Any]) -> MadeKey:
    roles = frozenset(Role(role) for role in row["roles"])
    return MadeKey(name=row["name"], digest=row["sha256"], roles=roles, made_at=row["made_at"], used_at=row["used_at"])


def _row(key: MadeKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "sha256": key.digest,
        "roles": sorted(role.value for role in key.roles),
        "made_at": key.made_at,
        "used_at": key.used_at,
    }


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Beside the file: whoever waits for a lock on the file itself would get one on its predecessor.
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    descriptor, half = tempfile.mkstemp(prefix=".", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"version": VERSION, "keys": rows}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except BaseException:
        os.unlink(half)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unavailable(path: Path, error: OSError) -> KeysUnavailable:
    return KeysUnavailable(reason=f"{path}: {error.strerror or type(error).__name__}")
