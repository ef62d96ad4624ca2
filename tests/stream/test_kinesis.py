"""What smsd makes of a stream: one that has enough for the moment, that is split, or that is missing."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.spool.kinesis.engine import kinesis_spool
from smsd.spool.stream.engine import StreamSpool
from tests.integration.daemon import until
from tests.messages import ROOM, sms
from tests.stream import kinesis_server
from tests.stream.kinesis_proxy import Proxy, proxy

pytestmark = pytest.mark.engines


@pytest.fixture
def way(kinesis: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What stands between the nodes of this test and the server."""
    with proxy(kinesis) as way:
        for name, value in kinesis_server.settings(way.url).items():
            monkeypatch.setenv(name, value)
        yield way


@pytest.fixture
def stream() -> str:
    """The name of a stream that is this test's own."""
    return f"sms{random.getrandbits(40)}"


@pytest_twisted.async_yield_fixture
async def node(way: Proxy, stream: str, tmp_path: Path, reactor: Any) -> AsyncIterator[Callable[..., StreamSpool]]:
    """Opens nodes on one stream, which is this test's own."""
    opened: list[StreamSpool] = []

    def make(**more: Any) -> StreamSpool:
        words = {"create": True, "patience_s": 2.0, "ledger": str(tmp_path / "ledger.db"), **more}
        engine = kinesis_spool(stream, reactor=reactor, **words)
        engine.open()
        opened.append(engine)
        return engine

    yield make
    for each in opened:
        await each.close()


async def is_appended(engine: StreamSpool) -> bool:
    try:
        await engine.append([sms()], ROOM)
    except SpoolUnavailable:
        return False
    return True


async def queued(engine: StreamSpool) -> int:
    return (await engine.standing()).states[State.QUEUED]


@ensureDeferred
async def test_what_a_stream_takes_no_more_is_refused_after_some_tries(node: Any, way: Proxy) -> None:
    engine = node()
    await engine.append([sms()], ROOM)
    way.refuses = True
    with pytest.raises(SpoolUnavailable, match=r"Kinesis takes no more at the moment \(ProvisionedThroughputExceeded"):
        await engine.append([sms()], ROOM)
    assert way.refused > 2
    way.refuses = False
    await until(lambda: is_appended(engine), "it takes messages again")
    assert await queued(engine) == 2


@ensureDeferred
async def test_of_a_request_that_was_refused_in_part_the_rest_is_put_again(node: Any, way: Proxy) -> None:
    engine = node()
    way.refuses_once = 2
    # More than one record has room for, however it is compressed.
    await engine.append([sms(body=random.randbytes(600).hex()) for _ in range(2000)], ROOM)
    assert way.refused == 2
    assert await queued(engine) == await queued(node()) == 2000


@ensureDeferred
async def test_a_shard_that_is_split_is_followed(node: Any, stream: str) -> None:
    one = node()
    await one.append([sms()], ROOM)
    client = boto3.client("kinesis")
    for _ in range(2):
        [*_, shard] = [
            each
            for each in client.list_shards(StreamName=stream)["Shards"]
            if each["HashKeyRange"]["StartingHashKey"] == "0"
        ]
        middle = str(int(shard["HashKeyRange"]["EndingHashKey"]) // 2)
        client.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
        client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 0.2})
        await one.append([sms()], ROOM)
    client.close()
    other = node()
    assert await queued(other) == 3
    await other.append([sms()], ROOM)
    await one.append([sms()], ROOM)
    assert await queued(one) == 5


@ensureDeferred
async def test_a_node_that_has_nothing_to_do_hears_of_what_others_do(node: Any) -> None:
    idle, other = node(), node()
    await other.append([sms()], ROOM)

    async def has_heard() -> bool:
        return await queued(idle) == 1

    await until(has_heard, "it has read of it", within_s=5.0)


@ensureDeferred
async def test_a_node_goes_on_where_it_was(node: Any) -> None:
    one = node()
    await one.append([sms()], ROOM)
    await one.close()
    again = node()
    await again.append([sms()], ROOM)
    assert await queued(again) == 2


def test_a_missing_stream_is_named_with_what_makes_it(node: Any) -> None:
    with pytest.raises(SpoolRefused, match=r"there is no stream sms[0-9]+\. Make it: aws kinesis create-stream"):
        node(create=False)
