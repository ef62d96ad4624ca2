"""Every store of API keys keeps them alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, execute, gatherResults
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

from smsd.core.errors import KeysUnavailable, NameTaken, UnknownKey
from smsd.core.key import Role
from smsd.keys.file import KeyFile
from smsd.keys.memory import MemoryKeys
from smsd.ports import IKeyStore
from tests.keys import made

SHOP, DESK = made("shop", Role.SEND), made("desk", Role.READ, Role.OPERATE)


@pytest.fixture(params=["memory", "file"])
def store(request: Any, tmp_path: Path) -> Any:
    stores: dict[str, Callable[[], Any]] = {
        "memory": MemoryKeys,
        "file": lambda: KeyFile(tmp_path / "keys.json", defer=execute),
    }
    return stores[request.param]()


def test_it_is_a_store(store):
    assert verifyObject(IKeyStore, store)
    assert list(store.open()) == []


@ensureDeferred
async def test_keys_are_kept_by_name_until_they_are_removed(store):
    await store.add(SHOP)
    await store.add(DESK)
    assert list(await store.keys()) == [DESK, SHOP]
    await store.remove("shop")
    assert list(await store.keys()) == [DESK]


@ensureDeferred
async def test_a_name_is_given_once(store):
    await store.add(SHOP)
    with pytest.raises(NameTaken, match="shop"):
        await store.add(attrs.evolve(SHOP, digest="another"))
    with pytest.raises(UnknownKey, match="nobody"):
        await store.remove("nobody")
    assert list(await store.keys()) == [SHOP]


@ensureDeferred
async def test_the_last_use_is_written_down_of_keys_that_are_there(store):
    await store.add(SHOP)
    await store.note_uses({"shop": 60.0, "gone": 60.0})
    assert list(await store.keys()) == [attrs.evolve(SHOP, used_at=60.0)]


@ensureDeferred
async def test_what_has_not_changed_is_the_same_object(store):
    await store.add(SHOP)
    assert await store.keys() is await store.keys()


@ensureDeferred
async def test_another_process_sees_what_is_kept_in_the_file(tmp_path):
    path = tmp_path / "keys.json"
    ours, theirs = KeyFile(path, defer=execute), KeyFile(path, defer=execute)
    await ours.add(SHOP)
    assert list(theirs.open()) == [SHOP]
    await theirs.add(DESK)
    await theirs.note_uses({"shop": 60.0})
    await ours.note_uses({"shop": 30.0})
    assert list(await ours.keys()) == [DESK, attrs.evolve(SHOP, used_at=60.0)]
    assert path.stat().st_mode & 0o077 == 0
    assert SHOP.digest in path.read_text()
    assert [each.name for each in tmp_path.iterdir() if each.name not in ("keys.json", "keys.json.lock")] == []


@ensureDeferred
async def test_writers_of_one_file_wait_for_one_another(tmp_path):
    stores = [KeyFile(tmp_path / "keys.json", defer=deferToThread) for _ in range(8)]
    adding = [Deferred.fromCoroutine(store.add(made(f"key{n}", Role.SEND))) for n, store in enumerate(stores)]
    await gatherResults(adding)
    assert [key.name for key in await stores[0].keys()] == [f"key{n}" for n in range(8)]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 1}', '{"version": 2, "keys": []}', '{"version": 1, "keys": [1]}']
)
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(KeysUnavailable, match=r"of keys|of version"):
        KeyFile(path, defer=execute).open()
    assert path.read_text() == text


@ensureDeferred
async def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    store = KeyFile(tmp_path / "nowhere" / "keys.json", defer=execute)
    assert list(store.open()) == []
    with pytest.raises(KeysUnavailable, match="No such file"):
        await store.add(SHOP)
