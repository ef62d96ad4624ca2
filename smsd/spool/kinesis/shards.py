"""Follows the log from shard to shard: it is always in the one that has the first hash key."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from smsd.spool.stream.log import LogTrouble

#: The hash key that every record is put under. However a stream is split or merged, one open shard has it.
FIRST_KEY: Final = "0"

#: As ListShards tells of one.
Shard = Mapping[str, Any]


def listed(client: Any, stream: str) -> list[Shard]:
    """Every shard of ``stream`` that has, or had, the first hash key. Raises what boto3 does."""
    shards: list[Shard] = []
    asked = {"StreamName": stream}
    while asked:
        answer = client.list_shards(**asked)
        shards += answer["Shards"]
        asked = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else {}
    return [shard for shard in shards if shard["HashKeyRange"]["StartingHashKey"] == FIRST_KEY]


def oldest(shards: Sequence[Shard]) -> str:
    """The id of the first of ``shards``. Raises LogTrouble."""
    ids = {shard["ShardId"] for shard in shards}
    for shard in shards:
        if ids.isdisjoint(_parents(shard)):
            return str(shard["ShardId"])
    raise LogTrouble(reason="Kinesis: the stream has no shards")


def following(shards: Sequence[Shard], id: str) -> str | None:
    """The id of the shard that the log went on in after the shard ``id``; None if it has not."""
    return next((str(shard["ShardId"]) for shard in shards if id in _parents(shard)), None)


def newest(shards: Sequence[Shard]) -> str:
    """The id of the one of ``shards`` that the log is in now. Raises LogTrouble."""
    id = oldest(shards)
    while (child := following(shards, id)) is not None:
        id = child
    return id


def _parents(shard: Shard) -> set[str]:
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return {parent for parent in parents if parent}
