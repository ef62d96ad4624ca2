"""Puts together who may come in."""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from twisted.internet.threads import deferToThreadPool

from smsd.keys.file import KeyFile
from smsd.keys.memory import MemoryKeys
from smsd.pipeline.keyring import Keyring
from smsd.ports import IKeyStore
from smsd.settings import Settings
from smsd.settings.types import MemorySpoolUrl, SqliteSpoolUrl
from smsd.wiring.reactor import IDaemonReactor

#: What keys that were made begin with, so that whoever finds one knows what it is.
PREFIX: Final = "smsd_"


def keyring(settings: Settings, reactor: IDaemonReactor, now: Callable[[], float]) -> Keyring:
    """The keys that ``settings`` name, and where others are kept; not yet opened. ``now`` is in UTC epoch seconds."""
    return Keyring(
        fixed={each.name: each.key.reveal().encode() for each in settings.api_keys},
        store=_store(settings, reactor),
        new_key=lambda: PREFIX + secrets.token_urlsafe(32),
        clock=reactor,
        now=now,
    )


def _store(settings: Settings, reactor: IDaemonReactor) -> IKeyStore | None:
    defer = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    if settings.key_file:
        return KeyFile(Path(settings.key_file), defer=defer)
    match settings.spool:
        case MemorySpoolUrl():
            return MemoryKeys()
        case SqliteSpoolUrl(path=path):
            return KeyFile(path.with_suffix(".keys.json"), defer=defer)
        case _:
            return None  # several nodes share it, and would each have keys of their own
