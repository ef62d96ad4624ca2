"""Sees to it that a ledger misses nothing of what a stream has dropped for its age."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from smsd.spool.stream.log import LogCut

#: Empty answers before a stream counts as empty: those of Kinesis may be empty though there is more.
TRIES: Final = 20


def check(client: Any, stream: str, shard: str, after: str) -> None:
    """See that what comes after the record ``after`` of ``shard`` (empty: all) is there still. Raises LogCut."""
    answer = client.describe_stream(StreamName=stream)
    hours = answer["StreamDescription"]["RetentionPeriodHours"]
    if _age(answer) < timedelta(hours=hours):
        return
    first = _first(client, stream, shard)
    if after and first is not None and int(first) <= int(after):
        return
    raise LogCut(
        reason=f"the stream {stream} drops what is {hours} h old, and this ledger may miss some of that (if all nodes"
        " were off for so long, start the one that stopped last with SMSD_KINESIS_TRUST=yes, once)"
    )


def _age(answer: Mapping[str, Any]) -> timedelta:
    # By the server's own clock: ours may be wrong.
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    age: timedelta = now - answer["StreamDescription"].get("StreamCreationTimestamp", now)
    return age


def _first(client: Any, stream: str, shard: str) -> str | None:
    names = {"StreamName": stream, "ShardId": shard}
    iterator = client.get_shard_iterator(**names, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    for _ in range(TRIES):
        answer = client.get_records(ShardIterator=iterator, Limit=1)
        if answer["Records"]:
            return str(answer["Records"][0]["SequenceNumber"])
        iterator = answer.get("NextShardIterator")
        if iterator is None or not answer.get("MillisBehindLatest"):
            return None
    return None
