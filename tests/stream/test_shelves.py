"""What every shelf does alike."""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from smsd.core.errors import SpoolRefused
from smsd.spool.kafka.keyed import KeyedTopic
from smsd.spool.kafka.shelf import KafkaShelf
from smsd.spool.kinesis.shelf import LIVE_S, DynamoShelf
from smsd.spool.stream.log import LogTrouble
from smsd.spool.stream.shelf import Contents, Shelf, Snapshot
from tests.integration import bucket
from tests.stream.kafka_server import Broker
from tests.stream.memoryshelf import MemoryShelf

_NAMES = count(1)


def snapshot(name: str, where: str, *parts: bytes, made_at: float = 1.0) -> Snapshot:
    contents = Contents(parts=len(parts), octets=sum(map(len, parts)), digest="")
    return Snapshot(name=name, log="log", position="7", made_at=made_at, contents=contents, where=where)


def _memory_shelf() -> MemoryShelf:
    shelf = MemoryShelf()
    shelf.is_free.set()
    return shelf


def table_shelf(url: str, name: str, **more: Any) -> DynamoShelf:
    words = {"client": lambda: bucket.client(url, "dynamodb"), "create": True, "now": time.time, **more}
    return DynamoShelf(name, **words)


def kafka_shelf(broker: Broker, topic: str) -> KafkaShelf:
    return KafkaShelf(KeyedTopic(broker.address, topic, settings={}, patience_s=10.0, partitions=2))


@pytest.fixture(scope="module")
def tables() -> Iterator[str]:
    """The address of a look-alike of DynamoDB."""
    with bucket.served() as url:
        yield url


@pytest.fixture(params=["memory", "dynamodb", pytest.param("kafka", marks=pytest.mark.engines)])
def shelf(request: Any) -> Iterator[Shelf]:
    name = f"shelf{next(_NAMES)}"
    shelf: Shelf = {
        "memory": _memory_shelf,
        "dynamodb": lambda: table_shelf(request.getfixturevalue("tables"), name),
        "kafka": lambda: kafka_shelf(request.getfixturevalue("broker"), name),
    }[request.param]()
    yield shelf
    shelf.close()


def test_a_table_that_is_missing_is_named_with_what_makes_it(tables: str) -> None:
    shelf = table_shelf(tables, "none", create=False)
    with pytest.raises(SpoolRefused, match=r"there is no table none\. Make it: aws dynamodb create-table .*HASH"):
        shelf.prepare()


def test_a_table_that_cannot_be_asked_for_is_said_so() -> None:
    away = table_shelf("http://127.0.0.1:1", "t")
    for call in (away.prepare, away.listed):
        with pytest.raises(LogTrouble, match="DynamoDB: Could not connect"):
            call()


def test_what_cannot_be_put_to_its_end_is_removed(tables: str) -> None:
    client = bucket.client(tables, "dynamodb")
    shelf = table_shelf(tables, "torn")
    shelf.prepare()

    def torn() -> Iterator[bytes]:
        yield b"x"
        raise LogTrouble(reason="that is all")

    with pytest.raises(LogTrouble, match="that is all"):
        shelf.put("torn", torn())
    assert client.scan(TableName="torn")["Items"] == []


def test_a_row_ends_by_itself_though_nobody_remembers_it(tables: str) -> None:
    client = bucket.client(tables, "dynamodb")
    shelf = table_shelf(tables, "mortal", now=lambda: 1000.0)
    shelf.prepare()
    _ = shelf.put("torn", iter([b"x"]))
    [row] = client.scan(TableName="mortal")["Items"]
    assert int(row["expires"]["N"]) == 1000 + LIVE_S
    described = client.describe_time_to_live(TableName="mortal")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def kept(shelf: Shelf, name: str, *parts: bytes, made_at: float = 1.0) -> Snapshot:
    """A snapshot that is put onto ``shelf``."""
    put = snapshot(name, shelf.put(name, iter(parts)), *parts, made_at=made_at)
    shelf.enlist(put)
    return put


def test_before_it_was_made_nothing_is_on_it(shelf: Shelf) -> None:
    assert list(shelf.listed()) == []


def test_what_is_put_there_is_found_again(shelf: Shelf) -> None:
    shelf.prepare()
    shelf.prepare()
    large = [bytes([number]) * shelf.largest for number in range(20)]
    one, other = kept(shelf, "one", *large, made_at=1.0), kept(shelf, "other", b"x", made_at=2.5)
    assert list(shelf.listed()) == [one, other]
    assert list(shelf.parts(one)) == large
    assert list(shelf.parts(other)) == [b"x"]


def test_what_is_not_listed_is_not_there(shelf: Shelf) -> None:
    shelf.prepare()
    _ = shelf.put("torn", iter([b"1", b"2"]))
    one = kept(shelf, "one", b"x", b"y")
    assert list(shelf.listed()) == [one]
    assert list(shelf.parts(one)) == [b"x", b"y"]


def test_what_is_older_than_what_is_kept_is_let_go_of(shelf: Shelf) -> None:
    shelf.prepare()
    first, second, third = [kept(shelf, str(each), b"x" * each, b"y", made_at=each) for each in range(1, 4)]
    _ = shelf.listed()
    shelf.keep_only([second, third])
    assert list(shelf.listed()) == [second, third]
    assert list(shelf.parts(second)) == [b"xx", b"y"]
    assert list(shelf.parts(third)) == [b"xxx", b"y"]
    assert list(shelf.parts(first)) == []


def test_what_came_since_it_was_looked_is_not_let_go_of(shelf: Shelf) -> None:
    shelf.prepare()
    one = kept(shelf, "one", b"x", made_at=3.0)
    listed = shelf.listed()
    other = kept(shelf, "other", b"y", made_at=1.0)  # by another clock
    shelf.keep_only(listed)
    assert list(shelf.listed()) == [one, other]
    assert list(shelf.parts(other)) == [b"y"]


def test_who_would_keep_what_another_has_let_go_of_meanwhile_removes_nothing(shelf: Shelf) -> None:
    shelf.prepare()
    one = kept(shelf, "one", b"x")
    other = kept(shelf, "other", b"y")
    _ = shelf.listed()
    shelf.keep_only([other])
    shelf.keep_only([one])
    assert list(shelf.listed()) == [other]
    assert list(shelf.parts(other)) == [b"y"]
