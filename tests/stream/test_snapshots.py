"""Nodes on one log that lets go of what is in a snapshot."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from smsd.core.errors import SpoolRefused
from smsd.core.lifecycle import State
from smsd.core.notice import Took
from smsd.core.outcome import Accepted
from smsd.core.query import Query
from smsd.core.settle import begin, cancel, settle
from smsd.spool import schema
from smsd.spool.stream.engine import ANEW_S, StreamSpool
from smsd.spool.stream.follower import FAILING_S
from smsd.spool.stream.journal import Journal
from smsd.spool.stream.keeper import KEPT
from smsd.spool.stream.shelf import Contents, Keeping, Snapshot, Timing, snapshot
from smsd.spool.stream.snapshots import Snapshots
from tests.integration.daemon import until
from tests.messages import NOW, ROOM, sms
from tests.stream.memorylog import Shard
from tests.stream.memoryshelf import MemoryShelf
from tests.stream.world import POLICY, World, queued

EVERY_S = 0.2
LEFT_BEHIND = r"the log begins at 3, and no snapshot leads on\. Stop another node, copy its ledger"


@attrs.define
class Kept:
    """A world whose nodes put snapshots onto one shelf, each when the test says that it is time."""

    world: World
    shelf: MemoryShelf = attrs.field(factory=MemoryShelf)
    now: float = 0.0

    @property
    def keeping(self) -> Keeping:
        return Keeping(self.shelf, Timing(every_s=EVERY_S, now=lambda: self.now))

    def node(self, ledger: str, **more: Any) -> StreamSpool:
        return self.world.node(ledger, keeping=self.keeping, **more)

    def pass_time(self) -> None:
        """Let the next one be due."""
        self.now += EVERY_S
        self.world.clock.now += EVERY_S

    async def is_looked_for(self) -> None:
        """Wait until nodes have had the occasion to take a snapshot."""
        clock, before = self.world.clock, self.world.clock.asked
        # Each look asks for the time, and so does who calls it again and again.
        await until(lambda: clock.asked > before + 20, "it was looked whether one is due")

    async def taken(self) -> Snapshot:
        """The next snapshot, and its node has done what follows from it."""
        before = {each.name for each in self.shelf.all}
        self.pass_time()

        def found() -> list[Snapshot]:
            return [each for each in self.shelf.all if each.name not in before]

        [snapshot] = await until(found, "a snapshot is taken")
        if before:
            first = min(int(each.position) for each in self.shelf.all[-KEPT:])
            await until(lambda: self.world.shard.first == first + 1, "the log lets go")
            await until(lambda: len(self.shelf.all) == KEPT, "the shelf lets go")
        return snapshot

    async def has_let_go(self, node: StreamSpool) -> None:
        """Have the log forget its first entries."""
        for _ in range(2):
            await self.taken()
            await node.append([sms()], ROOM)
        await self.taken()


@pytest.fixture
def kept(world: World) -> Kept:
    kept = Kept(world)
    kept.shelf.is_free.set()
    return kept


async def owner_of(kept: Kept, name: str = "owner.db") -> StreamSpool:
    node = kept.node(name)
    await node.append([sms()], ROOM)
    await node.lease(NOW, 0)
    return node


@ensureDeferred
async def test_a_new_node_begins_from_a_snapshot_and_comes_to_what_the_others_have(kept: Kept) -> None:
    owner = await owner_of(kept)
    [lease] = await owner.lease(NOW, 1)
    sending = await owner.store(lease, begin(lease.message, NOW, "test"))
    await owner.store(sending, settle(sending.message, Accepted(provider_id="p"), NOW, POLICY, 0.0))
    await kept.has_let_go(owner)
    await owner.append([sms(), sms()], ROOM)
    assert kept.world.shard.first > 2
    new = kept.node("new.db")
    assert kept.shelf.read[-1] == kept.shelf.all[-1]
    assert await new.standing() == await owner.standing()
    assert await new.find(lease.message.id) == await owner.find(lease.message.id)
    await new.append([sms()], ROOM)
    assert await queued(owner) == await queued(new) == 5


@ensureDeferred
async def test_how_long_it_took_is_measured(kept: Kept) -> None:
    measured: list[Took] = []
    owner = kept.node("owner.db", measure=lambda took, seconds: measured.extend([took] * len(seconds)))
    await owner.append([sms()], ROOM)
    await owner.lease(NOW, 0)
    await kept.taken()
    await until(lambda: measured.count(Took.SNAPSHOT) == 1, "it is measured")


@ensureDeferred
async def test_the_next_one_is_taken_when_it_is_due_whoever_sends_then(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.taken()
    await kept.is_looked_for()
    await owner.close()
    other = await owner_of(kept, "other.db")
    await kept.is_looked_for()
    assert len(kept.shelf.all) == 1
    await kept.taken()
    await other.append([sms()], ROOM)


@ensureDeferred
async def test_one_of_an_older_smsd_is_brought_up_to_date(kept: Kept, tmp_path: Path) -> None:
    with closing(schema.connect(tmp_path / "old.db", busy_s=1.0)) as old:
        schema.prepare(old, schema.migrations()[:-1])
        assert Journal(old, "log 1").prepare()
        Snapshots(kept.keeping, "log 1", tmp_path / "old.db").take()
    new = kept.node("new.db")
    assert kept.shelf.read[-1] == kept.shelf.all[-1]
    message = sms()
    await new.append([message], ROOM)
    assert (await new.search(Query(recipient=message.recipients[0]))).messages == (message,)


@ensureDeferred
async def test_a_node_that_was_off_for_longer_than_the_log_goes_back_begins_from_a_snapshot(kept: Kept) -> None:
    off = kept.node("off.db")
    await off.append([sms()], ROOM)
    await off.close()
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    assert await queued(kept.node("off.db")) == 4


@ensureDeferred
async def test_a_node_that_was_off_for_a_short_time_goes_on_where_it_was(kept: Kept) -> None:
    off = kept.node("off.db")
    await off.append([sms()], ROOM)
    await off.close()
    owner = await owner_of(kept)
    await kept.taken()
    kept.shelf.kept.clear()
    assert await queued(kept.node("off.db")) == 2
    await owner.append([sms()], ROOM)


@ensureDeferred
async def test_of_a_snapshot_that_is_spoilt_the_one_before_is_taken(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    newest = kept.shelf.all[-1]
    for spoilt in (kept.shelf.kept[newest.where][:-1], [b"", *kept.shelf.kept[newest.where]], [b"rubbish"]):
        kept.shelf.kept[newest.where] = spoilt
        assert await queued(kept.node(f"{len(spoilt)}.db")) == 3


@ensureDeferred
async def test_one_that_is_not_where_its_list_says_is_passed_over(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    kept.shelf.all[-1] = attrs.evolve(kept.shelf.all[-1], position=kept.shelf.all[-2].position)
    assert await queued(kept.node("new.db")) == 3
    assert [each.name for each in kept.shelf.read[-2:]] == [each.name for each in reversed(kept.shelf.all)]


@ensureDeferred
async def test_when_all_are_gone_while_they_are_read_it_is_looked_once_more(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    kept.shelf.fails = 2
    assert await queued(kept.node("new.db")) == 3
    assert kept.shelf.fails == 0


@ensureDeferred
async def test_what_a_crash_has_left_beside_a_ledger_is_removed_before_anything_is_read(
    kept: Kept, tmp_path: Path
) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    left = [tmp_path / f"new.db.snapshot{end}" for end in ("", "-journal", "-wal", "-shm")]
    for each in left:
        each.write_bytes(b"left")
    assert await queued(kept.node("new.db")) == 3
    assert not any(each.exists() for each in left)


@ensureDeferred
async def test_a_node_that_was_stopped_for_longer_than_the_log_goes_back_begins_anew(
    kept: Kept, tmp_path: Path
) -> None:
    way = attrs.evolve(kept.world.shard)  # to the same entries
    stopped = kept.node("stopped.db", shard=way, follow_s=0.02)
    await stopped.append([sms()], ROOM)
    way.is_cut = True
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    assert (await stopped.standing()).states[State.QUEUED] == 1
    room = tmp_path / "stopped.db.snapshot"
    room.mkdir()  # so there is none for the copy
    way.first, way.is_cut = kept.world.shard.first, False

    async def has_heard() -> bool:
        kept.world.clock.now += FAILING_S
        return (await stopped.standing()).states[State.QUEUED] == 4

    async def is_tried() -> bool:
        return await has_heard() or kept.world.clock.now > ANEW_S + 2 * FAILING_S

    await until(is_tried, "it is tried twice")
    assert (await stopped.standing()).states[State.QUEUED] == 1
    room.rmdir()
    await until(has_heard, "it knows of what it missed")
    message = sms()
    await stopped.append([message], ROOM)
    assert await owner.find(message.id) == message


@ensureDeferred
async def test_a_clock_that_was_ahead_does_not_keep_the_next_sender_from_taking_one(kept: Kept) -> None:
    kept.now = 1e6
    owner = await owner_of(kept)
    ahead = await kept.taken()
    await owner.close()
    kept.now = 10.0
    await owner_of(kept, "other.db")
    await until(lambda: kept.shelf.all[-1].made_at == 10.0, "the next one is taken")
    assert kept.shelf.all[0] == ahead


@ensureDeferred
async def test_without_a_snapshot_that_leads_on_a_node_does_not_start(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    for each in kept.shelf.all:
        kept.shelf.kept[each.where].append(b"more")
    with pytest.raises(SpoolRefused, match=LEFT_BEHIND):
        kept.node("new.db")
    kept.shelf.is_cut = True
    with pytest.raises(SpoolRefused, match=LEFT_BEHIND):
        kept.node("new.db")


@ensureDeferred
async def test_what_was_put_there_of_another_log_is_left_alone(kept: Kept) -> None:
    await owner_of(kept)
    await kept.taken()
    made_anew = kept.node("new.db", shard=Shard(identity="2"))
    assert await queued(made_anew) == 0


@ensureDeferred
async def test_a_snapshot_of_a_newer_smsd_is_refused_and_the_ledger_left_as_it_was(kept: Kept, tmp_path: Path) -> None:
    newer = tmp_path / "owner.db"
    await owner_of(kept)
    with closing(sqlite3.connect(newer)) as ledger:
        ledger.execute(f"PRAGMA user_version = {len(schema.migrations()) + 1}")
    await kept.taken()
    with pytest.raises(SpoolRefused, match="made by a newer smsd"):
        kept.node("new.db")
    kept.shelf.all.clear()
    assert await queued(kept.node("new.db")) == 1


@ensureDeferred
async def test_only_the_node_that_sends_takes_them(kept: Kept) -> None:
    standby = kept.node("standby.db")
    await standby.append([sms()], ROOM)
    kept.pass_time()
    await kept.is_looked_for()
    assert not kept.shelf.all
    await standby.lease(NOW, 0)
    await until(lambda: kept.shelf.all, "a snapshot is taken")


@ensureDeferred
async def test_while_the_shelf_is_away_messages_are_taken_and_the_log_is_kept(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    first = kept.world.shard.first
    kept.shelf.is_cut = True
    with capturedLogs() as logged:
        kept.pass_time()
        await until(lambda: kept.shelf.refused, "one was tried to be taken")
        await owner.append([sms()], ROOM)
        await kept.is_looked_for()
    # And then it is left alone for a while.
    assert complaints(logged) == ["the stream is not cut back to a new snapshot: the shelf is gone"]
    assert kept.world.shard.first == first
    kept.shelf.is_cut = False
    await kept.taken()
    assert await queued(kept.node("new.db")) == 4


@ensureDeferred
async def test_what_is_not_there_as_it_was_put_is_not_listed_and_nothing_is_let_go_of_for_it(kept: Kept) -> None:
    owner = await owner_of(kept)
    await kept.has_let_go(owner)
    listed, first = list(kept.shelf.all), kept.world.shard.first
    kept.shelf.spoils = True
    with capturedLogs() as logged:
        kept.pass_time()
        await until(lambda: complaints(logged), "it is seen")
    assert "is not what was put onto the shelf" in complaints(logged)[0]
    assert (kept.shelf.all, kept.world.shard.first) == (listed, first)


@ensureDeferred
async def test_a_ledger_that_is_ahead_of_its_log_is_refused_and_left_as_it_is(kept: Kept, tmp_path: Path) -> None:
    owner = await owner_of(kept)
    for _ in range(3):
        await kept.taken()
        await owner.append([sms()], ROOM)
    await owner.close()
    lost = attrs.evolve(kept.world.shard, entries=kept.world.shard.entries[:3])
    before = rows(tmp_path / "owner.db")
    with pytest.raises(SpoolRefused, match="the log ends at 3"):
        kept.node("owner.db", shard=lost)
    assert rows(tmp_path / "owner.db") == before == 4


def complaints(logged: list[Any]) -> list[str]:
    return [str(formatEvent(each)) for each in logged if each["log_level"] is LogLevel.warn]


def rows(ledger: Path) -> int:
    with closing(sqlite3.connect(ledger)) as reading:
        return int(reading.execute("SELECT count(*) FROM message").fetchone()[0])


@ensureDeferred
async def test_a_node_that_ends_does_not_finish_its_snapshot(kept: Kept, tmp_path: Path) -> None:
    kept.shelf.is_free.clear()
    owner = await owner_of(kept)
    kept.pass_time()
    await until(kept.shelf.is_begun.is_set, "a snapshot is begun")
    closing = Deferred.fromCoroutine(owner.close())
    kept.shelf.is_free.set()
    await closing
    assert not kept.shelf.all
    assert [each.name for each in tmp_path.glob("*.snapshot")] == []


@ensureDeferred
async def test_what_was_forgotten_is_in_the_log_and_its_snapshots_no_more(kept: Kept, tmp_path: Path) -> None:
    owner = await owner_of(kept)
    message = sms(body="a secret")
    await owner.append([message], ROOM)
    await owner.amend(message.id, lambda stored: cancel(stored, NOW))
    assert b"a secret" in b"".join(kept.world.shard.kept)
    await owner.forget(NOW + 1, 100)
    await kept.has_let_go(owner)
    assert b"a secret" not in b"".join(kept.world.shard.kept)
    for taken in map(unzipped, kept.shelf.kept.values()):
        assert message.id.encode() in taken
        assert b"a secret" not in taken
        (tmp_path / "taken").write_bytes(taken)
        with closing(sqlite3.connect(tmp_path / "taken")) as reading:
            assert reading.execute("SELECT author, place FROM stream").fetchone() == ("", "")


def unzipped(parts: list[bytes]) -> bytes:
    return gzip.decompress(b"".join(parts))


def test_of_what_is_in_a_list_only_snapshots_are_read_and_of_these_what_is_known() -> None:
    contents = Contents(parts=1, octets=2, digest="d")
    one = Snapshot(name="n", log="log 1", position="7", made_at=1.0, contents=contents, where="w")
    words = json.loads(one.text)
    assert snapshot(one.text) == one
    assert snapshot(json.dumps(words | {"newer": 1, "contents": words["contents"] | {"newer": 1}})) == one
    del words["log"]
    for rubbish in ("rubbish", b"\xff", "7", "[]", "{}", json.dumps(words)):
        assert snapshot(rubbish) is None
