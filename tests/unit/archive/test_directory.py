"""A directory keeps letters whole, for their owner's eyes, and never writes over one."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred

from smsd.archive.directory import DirectoryArchive
from smsd.core.letter import ArchiveFailed
from tests.archives import Waiting

KEY = "dead/2026/11/24/01ABC.json"


def archive_in(root: Path) -> Waiting:
    return Waiting(DirectoryArchive(root, defer=maybeDeferred))


@pytest.fixture
def archive(tmp_path: Path) -> Waiting:
    return archive_in(tmp_path / "archive" / "of" / "letters")


def test_what_was_put_is_there_and_only_its_owner_can_read_it(archive: Waiting, tmp_path: Path) -> None:
    archive.put(KEY, b"a letter")
    assert archive.get(KEY) == b"a letter"
    path = tmp_path / "archive/of/letters" / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["01ABC.json"]  # nothing half written is left


@pytest.mark.parametrize(
    "key", ["../escaped", "dead/../../escaped", "/etc/passwd", "", "dead//x", ".hidden", "a\0b", "a\n"]
)
def test_no_key_leads_out_of_the_directory(archive: Waiting, tmp_path: Path, key: str) -> None:
    tries: list[Callable[[], Any]] = [lambda: archive.put(key, b"x"), lambda: archive.get(key)]
    for each in tries:
        with pytest.raises(ArchiveFailed):
            each()
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_says_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the directory should be")
    archive = archive_in(tmp_path / "archive")
    with pytest.raises(ArchiveFailed, match="The archive cannot be used: "):
        archive.put(KEY, b"x")


def test_a_write_that_breaks_leaves_nothing_that_looks_like_a_letter(archive: Waiting) -> None:
    with pytest.raises(TypeError):
        archive.put(KEY, "no octets")  # type: ignore[arg-type]
    assert archive.list("") == []
    archive.put(KEY, b"a letter")
    assert archive.get(KEY) == b"a letter"


PARTS = st.sampled_from(["a", "a-b", "a.json", "b", "b0"])
KEYS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@settings(deadline=None)  # the disk takes its time
@given(keys=st.sets(KEYS, max_size=8), prefix=st.just("") | KEYS.map(lambda key: key[:3]), after=st.just("") | KEYS)
def test_a_list_is_in_the_order_of_keys_whatever_they_are(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], prefix: str, after: str
) -> None:
    archive = archive_in(tmp_path_factory.mktemp("archive"))
    put: list[str] = []
    for key in sorted(keys):
        if not any(other != key and (other.startswith(f"{key}/") or key.startswith(f"{other}/")) for other in keys):
            archive.put(key, b"x")
            put.append(key)
    assert archive.list(prefix, after) == [key for key in put if key.startswith(prefix) and key > after]
