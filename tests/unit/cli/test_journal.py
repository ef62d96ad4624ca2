"""A campaign that was cut off goes on where it was, and is never sent twice by mistake."""

from pathlib import Path
from typing import Any

import attrs
import click
import pytest

from smsd.cli.clock import now
from smsd.cli.connection import TryLater
from smsd.cli.journal import BadJournal, Journal
from smsd.cli.posting import REMEMBERED_S, check_doubt, post, resumed

FRESH = Journal(mark="m" * 64, url="http://localhost:5000", chunk=2, skipped=())
BODIES = ["a", "b", "c", "d", "e"]


class Broken(Exception):
    """Stands for whatever may end smsctl."""


class Scripted:
    """A connection that notes what is posted, and breaks at one of the posts."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.posted: list[tuple[Any, str]] = []
        self._breaks_at = breaks_at

    def post(self, body: Any, key: str) -> dict[str, Any]:
        self.posted.append((body, key))
        if len(self.posted) - 1 == self._breaks_at:
            raise Broken
        return {}


def send(connection: Scripted, journal: Journal, path: Path, told: list[int] | None = None) -> Journal:
    progress = (lambda done, why: None) if told is None else (lambda done, why: told.append(done))
    return post(connection, BODIES, journal, path, progress=progress)  # type: ignore[arg-type]


def test_all_chunks_are_posted_each_under_a_key_of_its_own(tmp_path: Path) -> None:
    connection, told = Scripted(), []
    path = tmp_path / "journal"
    assert send(connection, FRESH, path, told).is_done
    assert [body for body, _ in connection.posted] == [["a", "b"], ["c", "d"], ["e"]]
    assert len({key for _, key in connection.posted}) == 3
    assert told == [2, 4, 5]


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_what_was_cut_off_goes_on_with_the_same_keys(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    whole = Scripted()
    send(whole, FRESH, tmp_path / "other")
    first = Scripted(breaks_at=cut)
    with pytest.raises(Broken):
        send(first, FRESH, path)
    second = Scripted()
    send(second, resumed(path, FRESH, again=False), path)
    # The chunk that was cut off is in both: nobody knows whether it was taken, and its key sees to the rest.
    assert first.posted[:-1] + second.posted == whole.posted
    assert first.posted[-1] == second.posted[0]


def test_what_was_sent_in_full_is_sent_again_only_at_somebodys_word(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first, second = Scripted(), Scripted()
    send(first, resumed(path, FRESH, again=False), path)
    with pytest.raises(BadJournal, match="--again"):
        resumed(path, FRESH, again=False)
    send(second, resumed(path, FRESH, again=True), path)
    assert {key for _, key in first.posted}.isdisjoint({key for _, key in second.posted})


@pytest.mark.parametrize("changed", [{"mark": "n" * 64}, {"url": "http://other:5000"}], ids=["campaign", "smsd"])
def test_the_journal_of_something_else_is_refused(tmp_path: Path, changed: dict[str, str]) -> None:
    path = tmp_path / "journal"
    attrs.evolve(FRESH, **changed).write(path)
    with pytest.raises(BadJournal, match="another"):
        resumed(path, FRESH, again=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"form": 2}', '{"form": 1, "mark": "m"}'], ids=range(5))
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(BadJournal):
        Journal.read(path)


def test_a_chunk_that_smsd_may_have_forgotten_is_a_persons_to_decide() -> None:
    check_doubt(attrs.evolve(FRESH, asked_at=now()))
    check_doubt(FRESH)
    with pytest.raises(BadJournal, match="Messages 3 to 4"):
        check_doubt(attrs.evolve(FRESH, taken=1, asked_at=now() - REMEMBERED_S - 1))


def test_a_chunk_that_there_is_no_room_for_is_posted_again_after_the_time_that_smsd_says(tmp_path: Path) -> None:
    class Full(Scripted):
        def post(self, body: Any, key: str) -> dict[str, Any]:
            super().post(body, key)
            if len(self.posted) == 1:
                raise TryLater("it is full", retry_after_s=0)
            return {}

    connection = Full()

    with click.Context(click.Command("send")):
        send(connection, FRESH, tmp_path / "journal")
    assert [body for body, _ in connection.posted] == [["a", "b"], ["a", "b"], ["c", "d"], ["e"]]
    assert connection.posted[0] == connection.posted[1]
