"""Keeps the log in a stream, in one shard at a time."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from smsd.spool.kinesis import horizon, shards, streams
from smsd.spool.kinesis.reads import Reads
from smsd.spool.stream.log import LogCut, Logged, LogTrouble

#: Seconds until what was refused is put again.
AGAIN_S: Final = 0.25
#: Seconds between two reads when nobody waits for what they give.
LOOK_S: Final = 0.5
#: Records in a request: 5 MiB are the most that PutRecords takes.
PUT: Final = 5
#: Records read at once.
BATCH: Final = 1000
#: Of a shard, or of a record in it.
_GONE: Final = frozenset({"ResourceNotFoundException", "InvalidArgumentException"})
_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "KMSThrottlingException",
        "ThrottlingException",
    }
)


class KinesisLog:
    """A stream; all of the log is in the shard that has the first hash key."""

    #: A record may have a mebibyte, with its key.
    largest = 900_000

    def __init__(
        self,
        stream: str,
        *,
        client: Callable[[], Any],
        create: bool,
        trust: bool,
        patience_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``client`` makes a boto3 client for Kinesis; with ``create`` a missing stream is made.

        With ``trust`` a ledger is believed to miss nothing that the stream has dropped. What is throttled for
        ``patience_s`` seconds has failed.
        """
        self._stream = stream
        self._make_client = client
        self._create = create
        self._trust = trust
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._never = Event()
        self._reads = Reads(monotonic)
        self._arrived: deque[Logged] = deque()
        self._shard, self._after = "", ""
        self._newest = ""  # the shard that the log ended in when that was last asked
        self._iterator: str | None = None
        self._complete_at = -math.inf  # monotonic seconds; all that was there then was given

    def open(self) -> str:
        """See Log."""
        self._client = self._make_client()
        return streams.prepare(self._client, self._stream, create=self._create)

    def start(self, after: str) -> None:
        """See Log."""
        self._arrived.clear()
        self._iterator = None
        self._shard, _, self._after = after.partition("/")
        try:
            self._shard = self._shard or shards.oldest(shards.listed(self._client, self._stream))
            if not self._trust:
                horizon.check(self._client, self._stream, self._shard, self._after)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _GONE:
                raise LogCut(reason=f"the stream {self._stream} has no {after} any more") from error
            raise LogTrouble(reason=f"Kinesis: {error}") from error

    def publish(self, entries: Sequence[bytes]) -> None:
        """See Log."""
        left = list(entries)
        deadline = self._monotonic() + self._patience_s
        while left:
            part, rest = left[:PUT], left[PUT:]
            refused, why = self._put(part)
            left = refused + rest
            if refused and self._monotonic() > deadline:
                raise LogTrouble(reason=f"Kinesis takes no more at the moment ({why})")
            if refused:
                self._never.wait(AGAIN_S)

    def read(self, within_s: float) -> Sequence[Logged]:
        """See Log."""
        deadline = self._monotonic() + within_s
        # Who only looks leaves the few reads there are to who waits.
        is_idle = not within_s and self._reads.is_fresh(LOOK_S)
        while not self._arrived and not is_idle:
            # Who only looks has nothing left from the start, and reads all the same if that may be done at once.
            left_s, wait_s = max(0.0, deadline - self._monotonic()), self._reads.wait_s()
            if wait_s > left_s:
                self._never.wait(left_s)
                break
            self._never.wait(wait_s)
            self._fetch()
            if self._monotonic() >= deadline:
                break
        arrived = list(self._arrived)
        self._arrived.clear()
        return arrived

    def end(self) -> float:
        """See Log."""
        try:
            self._newest = shards.newest(shards.listed(self._client, self._stream))
        except (ClientError, BotoCoreError) as error:
            raise LogTrouble(reason=f"Kinesis: {error}") from error
        return self._monotonic()

    def is_before(self, end: float) -> bool:
        """See Log."""
        if not self._arrived and self._complete_at < end:
            self._never.wait(self._reads.wait_s())
            self._fetch()
        return bool(self._arrived) or self._complete_at < end

    def cut(self, positions: Sequence[str]) -> None:
        """See Log. A stream lets go of what is old by itself."""

    def close(self) -> None:
        """See Log."""
        self._client.close()

    def _put(self, entries: Sequence[bytes]) -> tuple[list[bytes], str]:
        """Put ``entries``; the answer is those that were refused for the moment, and why."""
        key = {"PartitionKey": "smsd", "ExplicitHashKey": shards.FIRST_KEY}
        records = [{"Data": entry, **key} for entry in entries]
        try:
            answers = self._client.put_records(StreamName=self._stream, Records=records)["Records"]
        except ClientError as error:
            if (code := error.response["Error"]["Code"]) in _THROTTLED:
                return list(entries), code
            raise LogTrouble(reason=f"Kinesis: {error}") from error
        except BotoCoreError as error:
            raise LogTrouble(reason=f"Kinesis: {error}") from error
        refused = [
            (entry, each["ErrorCode"]) for entry, each in zip(entries, answers, strict=True) if each.get("ErrorCode")
        ]
        return [entry for entry, _ in refused], refused[0][1] if refused else ""

    def _fetch(self) -> None:
        began_at = self._monotonic()
        self._reads.made()
        try:
            if self._iterator is None:
                self._iterator = self._place()
            answer = self._client.get_records(ShardIterator=self._iterator, Limit=BATCH)
            self._take(answer, began_at)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ExpiredIteratorException":
                self._iterator = None
            elif code in _THROTTLED:
                self._reads.refused()
            else:
                raise LogTrouble(reason=f"Kinesis: {error}") from error
        except BotoCoreError as error:
            raise LogTrouble(reason=f"Kinesis: {error}") from error

    def _take(self, answer: Any, began_at: float) -> None:
        self._iterator = answer.get("NextShardIterator")
        for each in answer["Records"]:
            self._after = each["SequenceNumber"]
            self._arrived.append(Logged(position=f"{self._shard}/{self._after}", data=each["Data"]))
        if self._iterator is None:  # the shard was split or merged
            every = shards.listed(self._client, self._stream)
            self._newest = shards.newest(every)
            if (child := shards.following(every, self._shard)) is not None:
                self._shard, self._after = child, ""
                return
        if self._shard == self._newest and not answer.get("MillisBehindLatest") and len(answer["Records"]) < BATCH:
            self._complete_at = began_at

    def _place(self) -> str:
        kind = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self._after}
            if self._after
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        names = {"StreamName": self._stream, "ShardId": self._shard}
        iterator: str = self._client.get_shard_iterator(**names, **kind)["ShardIterator"]
        return iterator
