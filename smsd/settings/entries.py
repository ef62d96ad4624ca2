"""Reads settings that hold a value for each API key."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, TypeVar

from smsd.core.signature import MAX_SECRET, MIN_SECRET, PREFIX, parse_secret
from smsd.settings.kinds import SECRET, Kind, Wrong, clause, written
from smsd.settings.types import ApiKey, CallbackSecret, PerKey, Secret

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")


def per_key(kind: Kind[T], word: str) -> Kind[PerKey[T]]:
    """What ``kind`` allows, for each API key by name, or bare for all that are not named.

    It is written ``NAME=VALUE,VALUE``; toml may give a list of these, or a table. ``word`` is a short one for VALUE.
    """

    def parse(given: object) -> PerKey[T]:
        entries = tuple(_valued(given, kind))
        _refuse_repeats("the same name, or both none", [name for name, _ in entries])
        return PerKey(entries=entries)

    shape = f"comma-separated NAME={word} for single API keys, {word} for all others; {word} is {kind.allowed}"
    return Kind(allowed=shape, parse=parse)


def _valued(given: object, kind: Kind[T]) -> Iterator[tuple[str | None, T]]:
    for position, (name, value) in enumerate(_pairs(given), 1):
        try:
            yield name, kind.parse(value)
        except Wrong as error:
            detail = f": {error}" if str(error) else ""
            raise Wrong(f"entry {position} is not {kind.allowed}{detail}") from None


def _api_keys(given: object) -> tuple[ApiKey, ...]:
    keys = tuple(_named_keys(given))
    _refuse_repeats("the same name", [each.name for each in keys])
    _refuse_repeats("the same key", [each.key for each in keys])
    return keys


def _named_keys(given: object) -> Iterator[ApiKey]:
    unnamed = 0
    for position, (name, key) in enumerate(_pairs(given), 1):
        if name is None:
            unnamed += 1
            name = f"key{unnamed}"
        try:
            secret = SECRET.parse(key)
        except Wrong:
            raise Wrong(f"entry {position} is empty, or not of visible ASCII without spaces") from None
        yield ApiKey(name=name, key=secret)


def _callback_secrets(given: object) -> tuple[CallbackSecret, ...]:
    entries = tuple(_valued(given, Kind(allowed=_SIGNING_SECRET, parse=_signing_secret)))
    for position, (name, _) in enumerate(entries, 1):
        # Else a comma that was forgotten would put a secret where names are shown.
        if name is not None and name.startswith(PREFIX):
            raise Wrong(f"the name of entry {position} starts with {PREFIX}")
    _refuse_repeats("the same name and secret", entries)
    return tuple(CallbackSecret(name=name, secret=secret) for name, secret in entries)


def _signing_secret(given: object) -> Secret:
    text = written(given)
    try:
        parse_secret(text)
    except ValueError as error:
        raise Wrong(clause(error)) from None
    return Secret(text)


def _pairs(given: object) -> Iterator[tuple[str | None, object]]:
    if isinstance(given, int):
        given = [given]
    if isinstance(given, list | dict) and not given:
        raise Wrong("at least one entry is needed")
    named = given.items() if isinstance(given, dict) else map(_split, _entries(given))
    for position, (name, value) in enumerate(named, 1):
        if name is not None and not _NAME.fullmatch(name):
            raise Wrong(f"the name of entry {position} has other characters than A-Z a-z 0-9 _ . -")
        yield name, value


def _entries(given: object) -> list[object]:
    return list(given) if isinstance(given, list) else list(written(given).split(","))


def _split(entry: object) -> tuple[str | None, object]:
    # Base64 ends in "=", so "c2VjcmV0=" is a key without a name.
    if isinstance(entry, str):
        name, _, value = entry.strip().partition("=")
        if _NAME.fullmatch(name) and value.strip("= "):
            return name, value
    return None, entry


def _refuse_repeats(what: str, seen: Sequence[Hashable]) -> None:
    for position, value in enumerate(seen, 1):
        first = seen.index(value) + 1
        if first < position:
            raise Wrong(f"entries {first} and {position} have {what}")


_SIGNING_SECRET: Final = f"{PREFIX} and {MIN_SECRET} to {MAX_SECRET} octets in base64"
API_KEYS: Final = Kind(allowed="comma-separated keys, each KEY or NAME=KEY, no name or key twice", parse=_api_keys)
CALLBACK_SECRETS: Final = Kind(
    allowed=f"comma-separated secrets, NAME=SECRET for single API keys, SECRET for all; SECRET is {_SIGNING_SECRET}",
    parse=_callback_secrets,
)
