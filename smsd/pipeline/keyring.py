"""Knows every API key, makes and revokes them, and writes down when each was last used."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smsd.core.errors import KeysUnavailable, NameTaken
from smsd.core.key import ALL_ROLES, Holder, MadeKey, Role, digest_of
from smsd.pipeline.loop import Loop
from smsd.ports import IKeyStore

#: Seconds between two looks at what other processes made or revoked.
LOOK_S: Final = 2.0
#: Looks after which uses are written down: a minute.
WRITE: Final = 30


@attrs.frozen(kw_only=True)
class KnownKey:
    """A key as an operator sees it."""

    name: str
    roles: frozenset[Role]
    made_at: float | None = None  #: UTC epoch seconds; None: the settings name it
    used_at: float | None = None  #: UTC epoch seconds, within a minute; None: not yet, or not since the start


class Keyring:
    """The keys that the settings name, which may do everything, and those that were made."""

    _log = Logger()

    def __init__(
        self,
        *,
        fixed: Mapping[str, bytes],
        store: IKeyStore | None,
        new_key: Callable[[], str],
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        """``fixed`` keys go by their names; without a ``store`` none can be made.

        ``new_key`` gives a text of 256 random bits; ``now`` is in UTC epoch seconds.
        """
        self._fixed = {name: Holder(name=name, digest=digest_of(key)) for name, key in fixed.items()}
        self._store = store
        self._new_key = new_key
        self._now = now
        self._made: Sequence[MadeKey] = ()
        self._uses: dict[str, float] = {}
        self._unwritten: set[str] = set()
        self._looks = 0
        self._watchers: list[Callable[[], None]] = []
        self._holders: dict[str, Holder] = {}
        self._know(())
        self._loop = Loop(self._look, name="looking at the keys", ignored=KeysUnavailable, log=self._log, clock=clock)

    def open(self) -> None:
        """Read what was made before; may block. Raises KeysUnavailable."""
        if self._store is not None:
            self._know(self._store.open())

    def start(self) -> None:
        """Begin to look for what other processes change."""
        self._loop.start(LOOK_S, now=False)

    async def stop(self) -> None:
        """Write down what was used, and look no more."""
        await self._loop.stop()
        try:
            await self._write()
        except KeysUnavailable as error:
            self._log.warn("when keys were last used is not written down: {error}", error=error)

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when what a key may do may have changed, and once a minute, so that uses are asked for."""
        self._watchers.append(changed)

    def holder(self, digest: str) -> Holder | None:
        """Whose key has ``digest``, if anybody's."""
        return self._holders.get(digest)

    def note_use(self, name: str) -> None:
        """The key called ``name`` is being used."""
        self._uses[name] = self._now()
        self._unwritten.add(name)

    def known(self) -> list[KnownKey]:
        """Every key: those that the settings name first, then those that were made, each by name."""
        fixed = [KnownKey(name=name, roles=ALL_ROLES, used_at=self._uses.get(name)) for name in sorted(self._fixed)]
        made = [
            KnownKey(name=key.name, roles=key.roles, made_at=key.made_at, used_at=self._uses.get(key.name, key.used_at))
            for key in self._made
        ]
        return fixed + made

    async def make(self, name: str, roles: Iterable[Role]) -> str:
        """A new key called ``name`` for ``roles``; nobody can be told it again. Raises NameTaken, KeysUnavailable."""
        if name in self._fixed:
            raise NameTaken(name=name)
        key = self._new_key()
        made = MadeKey(name=name, digest=digest_of(key.encode()), roles=frozenset(roles), made_at=self._now())
        await self._kept().add(made)
        await self._refresh()
        return key

    async def revoke(self, name: str) -> None:
        """Take the key called ``name`` no more. Raises UnknownKey and KeysUnavailable."""
        await self._kept().remove(name)
        self._uses.pop(name, None)
        await self._refresh()

    def _kept(self) -> IKeyStore:
        if self._store is None:
            raise KeysUnavailable(reason="there is none, set SMSD_KEY_FILE")
        return self._store

    async def _look(self) -> None:
        if self._store is None:
            return
        await self._refresh()
        self._looks += 1
        if self._looks % WRITE == 0:
            await self._write()
            self._changed()

    async def _refresh(self) -> None:
        made = await self._kept().keys()
        if made is not self._made:
            self._know(made)

    def _know(self, made: Sequence[MadeKey]) -> None:
        self._made = made
        # What the settings name goes first: nobody can take a name away from it.
        of_made = [key.holder for key in made if key.name not in self._fixed]
        self._holders = {holder.digest: holder for holder in (*of_made, *self._fixed.values())}
        self._changed()

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()

    async def _write(self) -> None:
        used = {name: self._uses[name] for name in self._unwritten & {key.name for key in self._made}}
        self._unwritten.clear()
        if used and self._store is not None:
            await self._store.note_uses(used)
