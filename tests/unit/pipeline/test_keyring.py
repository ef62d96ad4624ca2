"""Keys come and go while the daemon runs, and what they did last is known."""

from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from smsd.core.errors import KeysUnavailable, NameTaken
from smsd.core.key import ALL_ROLES, Role, digest_of
from smsd.keys.memory import MemoryKeys
from smsd.pipeline.keyring import LOOK_S, WRITE, Keyring, KnownKey
from tests.keys import made


def ring(clock: Clock, store: Any) -> Keyring:
    keyring = Keyring(
        fixed={"fixed": b"secret"}, store=store, new_key=lambda: "a new one", clock=clock, now=clock.seconds
    )
    keyring.open()
    keyring.start()
    return keyring


@ensureDeferred
async def test_a_key_that_is_made_works_at_once_until_it_is_revoked() -> None:
    keyring, changes = ring(Clock(), MemoryKeys()), []
    keyring.watch(lambda: changes.append(1))
    key = await keyring.make("shop", [Role.SEND])
    holder = keyring.holder(digest_of(key.encode()))
    assert holder is not None
    assert (holder.name, holder.roles) == ("shop", {Role.SEND})
    await keyring.revoke("shop")
    assert keyring.holder(holder.digest) is None
    assert len(changes) == 2


@ensureDeferred
async def test_a_name_of_the_settings_is_taken() -> None:
    keyring = ring(Clock(), MemoryKeys())
    with pytest.raises(NameTaken, match="fixed"):
        await keyring.make("fixed", [Role.SEND])


@ensureDeferred
async def test_without_a_file_no_key_can_be_made() -> None:
    clock = Clock()
    keyring = ring(clock, None)
    clock.advance(LOOK_S)
    with pytest.raises(KeysUnavailable, match="SMSD_KEY_FILE"):
        await keyring.make("shop", [Role.SEND])
    await keyring.stop()


@ensureDeferred
async def test_what_another_process_does_is_seen() -> None:
    clock, store = Clock(), MemoryKeys()
    keyring = ring(clock, store)
    await store.add(made("shop", Role.SEND))
    assert keyring.holder(digest_of(b"shop")) is None
    clock.advance(LOOK_S)
    assert keyring.holder(digest_of(b"shop")) is not None


@ensureDeferred
async def test_the_last_use_is_known_at_once_and_written_down_within_a_minute() -> None:
    clock, store = Clock(), MemoryKeys(made("shop", Role.SEND), made("idle", Role.READ))
    keyring = ring(clock, store)
    clock.advance(5)
    keyring.note_use("shop")
    keyring.note_use("fixed")
    assert keyring.known() == [
        KnownKey(name="fixed", roles=ALL_ROLES, used_at=5.0),
        KnownKey(name="shop", roles=frozenset({Role.SEND}), made_at=0.0, used_at=5.0),
        KnownKey(name="idle", roles=frozenset({Role.READ}), made_at=0.0),
    ]
    clock.pump([LOOK_S] * WRITE)
    assert [key.used_at for key in store.kept] == [5.0, None]
    keyring.note_use("idle")
    await keyring.stop()
    assert store.kept[1].used_at is not None
