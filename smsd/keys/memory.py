"""Keeps API keys in memory, beside a spool that is there too."""

from collections.abc import Mapping, Sequence

import attrs
from zope.interface import implementer

from smsd.core.errors import NameTaken, UnknownKey
from smsd.core.key import MadeKey
from smsd.ports import IKeyStore


@implementer(IKeyStore)
class MemoryKeys:
    """Keys that last as long as the process."""

    def __init__(self, *keys: MadeKey) -> None:
        """Keep ``keys`` from the start."""
        self.kept = keys

    def open(self) -> Sequence[MadeKey]:
        """See IKeyStore."""
        return self.kept

    async def keys(self) -> Sequence[MadeKey]:
        """See IKeyStore."""
        return self.kept

    async def add(self, key: MadeKey) -> None:
        """See IKeyStore."""
        if any(each.name == key.name for each in self.kept):
            raise NameTaken(name=key.name)
        self.kept = tuple(sorted((*self.kept, key), key=lambda each: each.name))

    async def remove(self, name: str) -> None:
        """See IKeyStore."""
        if all(each.name != name for each in self.kept):
            raise UnknownKey(name=name)
        self.kept = tuple(each for each in self.kept if each.name != name)

    async def note_uses(self, uses: Mapping[str, float]) -> None:
        """See IKeyStore."""
        self.kept = tuple(attrs.evolve(each, used_at=uses.get(each.name, each.used_at)) for each in self.kept)
