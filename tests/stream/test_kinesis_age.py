"""A stream of Kinesis that lets go of what is old, and nodes that were not there meanwhile."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolRefused
from smsd.spool.kinesis.engine import kinesis_spool
from smsd.spool.stream.engine import StreamSpool
from smsd.spool.stream.shelf import Timing
from tests.integration import bucket
from tests.integration.daemon import until
from tests.messages import NOW, ROOM, sms
from tests.stream import kinesis_server
from tests.stream.kinesis_server import Server
from tests.stream.world import queued

pytestmark = pytest.mark.engines

EVERY_S = 1.0


@attrs.define
class Aging:
    """A stream that gets older by leaps, and its table."""

    server: Server
    tables: str
    folder: Path
    reactor: Any
    now: float = 0.0
    opened: list[StreamSpool] = attrs.field(factory=list)

    def node(self, ledger: str, **more: Any) -> StreamSpool:
        snapshots = Timing(every_s=EVERY_S, now=lambda: self.now)
        words = {"ledger": str(self.folder / ledger), "reactor": self.reactor, "create": True, "snapshots": snapshots}
        node = kinesis_spool("aging", **words | more)
        node.open()
        self.opened.append(node)
        return node

    def leap(self) -> None:
        """Let what is in the stream become too old."""
        self.server.leap()
        # This look-alike lets go of what somebody reads, and tells him that there is no more.
        client = boto3.client("kinesis")
        for shard in client.list_shards(StreamName="aging")["Shards"]:
            names = {"StreamName": "aging", "ShardId": shard["ShardId"]}
            iterator = client.get_shard_iterator(**names, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            _ = client.get_records(ShardIterator=iterator)
        client.close()

    async def taken(self, owner: StreamSpool) -> None:
        """Have ``owner`` take a snapshot."""
        client = bucket.client(self.tables, "dynamodb")
        self.now += EVERY_S
        made_at = f'"made_at": {self.now}'

        async def listed() -> list[Any]:
            await owner.lease(NOW, 0)
            if "aging-snapshots" not in client.list_tables()["TableNames"]:
                return []
            rows = client.scan(TableName="aging-snapshots")["Items"]
            return [each for each in rows if "snapshot" in each and made_at in each["snapshot"]["S"]]

        await until(listed, "a snapshot is taken")


@pytest_twisted.async_yield_fixture
async def aging(tmp_path: Path, reactor: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Aging]:
    with kinesis_server.started() as server, bucket.served() as tables:
        places = {"AWS_ENDPOINT_URL_KINESIS": server.url, "AWS_ENDPOINT_URL_DYNAMODB": tables}
        for name, value in (bucket.AWS | places).items():
            monkeypatch.setenv(name, value)
        aging = Aging(server, tables, tmp_path, reactor)
        yield aging
        for each in aging.opened:
            await each.close()


@ensureDeferred
async def test_who_was_not_there_when_a_stream_let_go_of_something_begins_from_a_snapshot(aging: Aging) -> None:
    off = aging.node("off")
    await off.append([sms()], ROOM)
    await off.close()
    owner = aging.node("owner")
    await owner.append([sms()], ROOM)
    await owner.lease(NOW, 0)
    aging.leap()
    await owner.append([sms()], ROOM)
    await aging.taken(owner)
    await owner.append([sms()], ROOM)
    for ledger in ("off", "new"):
        assert await queued(aging.node(ledger)) == 4


@ensureDeferred
async def test_without_a_snapshot_that_is_young_enough_it_does_not_begin(aging: Aging) -> None:
    owner = aging.node("owner")
    await owner.append([sms()], ROOM)
    await aging.taken(owner)
    aging.leap()
    await owner.append([sms()], ROOM)
    await owner.lease(NOW, 0)
    said = r"the stream aging drops what is 168 h old, .*, and no snapshot leads on\. Stop another node"
    with pytest.raises(SpoolRefused, match=said):
        aging.node("new")
    assert await queued(owner) == 2


@ensureDeferred
async def test_a_ledger_at_a_shard_that_is_gone_begins_from_a_snapshot(aging: Aging, tmp_path: Path) -> None:
    owner = aging.node("owner")
    await owner.append([sms()], ROOM)
    off = aging.node("off")
    await off.close()
    aging.leap()
    await owner.append([sms()], ROOM)
    await aging.taken(owner)
    with closing(sqlite3.connect(tmp_path / "off", isolation_level=None)) as ledger:
        ledger.execute("UPDATE stream SET position = 'shardId-000000000077/1'")
    assert await queued(aging.node("off")) == 2


@ensureDeferred
async def test_a_ledger_is_the_same_stream_s_in_every_time_zone(
    aging: Aging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        node = aging.node("ledger")
        await node.append([sms()], ROOM)
        await node.close()
    monkeypatch.undo()
    time.tzset()
    assert [each.name for each in tmp_path.glob("ledger*") if each.suffix == ""] == ["ledger"]
