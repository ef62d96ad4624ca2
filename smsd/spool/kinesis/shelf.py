"""Keeps snapshots in a table of DynamoDB: a row for each, and a row for each part."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from smsd.core.errors import SpoolRefused
from smsd.spool.stream import shelf
from smsd.spool.stream.log import LogTrouble
from smsd.spool.stream.shelf import Snapshot

#: The name under which the list is.
LIST: Final = "snapshots"
#: Rows that are deleted in a request; DynamoDB takes no more.
BATCH: Final = 25
#: Seconds between two looks at whether a table is there, and how many.
DELAY_S: Final = 0.5
LOOKS: Final = 120
#: Seconds until a table is asked again that takes no more for the moment, and how often: a minute in all.
AGAIN_S: Final = 0.5
AGAIN: Final = 120
_THROTTLED: Final = frozenset({"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"})
#: Seconds after which DynamoDB removes a row that we did not, such as a part that was put when its node was killed:
#: longer than any stream keeps records, and so longer than a snapshot is of use.
LIVE_S: Final = 370 * 86400


class DynamoShelf:
    """A table; it is made when the first snapshot is taken, if that is wanted."""

    #: A row may have 400 KiB, with its key.
    largest = 390_000

    def __init__(self, table: str, *, client: Callable[[], Any], create: bool, now: Callable[[], float]) -> None:
        """``client`` makes a boto3 client for DynamoDB; with ``create`` a missing table is made.

        ``now`` gives UTC epoch seconds.
        """
        self._table = table
        self._make_client = client
        self._create = create
        self._now = now
        self._made: Any = None
        self._ended = Event()

    def prepare(self) -> None:
        """See Shelf."""
        with _telling():
            if self._is_there():
                return
            if not self._create:
                raise SpoolRefused(reason=_missing(self._table))
            self._make()

    def put(self, name: str, parts: Iterable[bytes]) -> str:
        """See Shelf."""
        try:
            for number, part in enumerate(parts):
                self._write(name, number, {"octets": {"B": part}})
        except BaseException:
            with suppress(LogTrouble), _telling():
                self._remove(name)
            raise
        return name

    def enlist(self, snapshot: Snapshot) -> None:
        """See Shelf."""
        with _telling():
            taken = [number for number, _ in self._list()]
        # If another node has taken the number meanwhile, this one is not enlisted.
        first_come = {"ConditionExpression": "attribute_not_exists(part)"}
        self._write(LIST, max(taken, default=0) + 1, {"snapshot": {"S": snapshot.text}}, **first_come)

    def listed(self) -> Sequence[Snapshot]:
        """See Shelf."""
        with _telling():
            return [snapshot for _, snapshot in self._list() if snapshot] if self._is_there() else []

    def parts(self, snapshot: Snapshot) -> Iterator[bytes]:
        """See Shelf."""
        with _telling():
            for row in self._rows(snapshot.where):
                yield row["octets"]["B"]

    def keep_only(self, snapshots: Sequence[Snapshot]) -> None:
        """See Shelf."""
        with _telling():
            listed = self._list()
            # Another node may have let go of them meanwhile: then they are before all that there is.
            first = next((number for number, snapshot in listed if snapshot == snapshots[0]), 0)
            for number, snapshot in listed:
                if number >= first:
                    return
                self._delete([{"name": {"S": LIST}, "part": {"N": str(number)}}])
                if snapshot is not None:
                    self._remove(snapshot.where)

    def end(self) -> None:
        """See Shelf."""
        self._ended.set()

    def close(self) -> None:
        """See Shelf."""
        if self._made is not None:
            self._made.close()

    @property
    def _client(self) -> Any:
        self._made = self._made or self._make_client()
        return self._made

    def _is_there(self) -> bool:
        try:
            self._client.describe_table(TableName=self._table)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return False
            raise
        return True

    def _make(self) -> None:
        keys = (("name", "S", "HASH"), ("part", "N", "RANGE"))
        self._client.create_table(
            TableName=self._table,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind, _ in keys],
            KeySchema=[{"AttributeName": name, "KeyType": role} for name, _, role in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        waiting = {"Delay": DELAY_S, "MaxAttempts": LOOKS}
        self._client.get_waiter("table_exists").wait(TableName=self._table, WaiterConfig=waiting)
        live = {"Enabled": True, "AttributeName": "expires"}
        self._client.update_time_to_live(TableName=self._table, TimeToLiveSpecification=live)

    def _write(self, name: str, part: int, what: Any, **more: Any) -> None:
        key = {"name": {"S": name}, "part": {"N": str(part)}}
        expires = {"expires": {"N": str(round(self._now() + LIVE_S))}}
        with _telling():
            self._patiently(lambda: self._client.put_item(TableName=self._table, Item=key | expires | what, **more))

    def _patiently(self, put: Callable[[], Any]) -> Any:
        """What ``put`` gives; it is called again while the table takes no more for the moment."""
        for _ in range(AGAIN):
            try:
                return put()
            except ClientError as error:
                if error.response["Error"]["Code"] not in _THROTTLED or self._ended.wait(AGAIN_S):
                    raise
        return put()

    def _list(self) -> list[tuple[int, Snapshot | None]]:
        """What is in the list, by number."""
        return [(int(row["part"]["N"]), shelf.snapshot(row["snapshot"]["S"])) for row in self._rows(LIST)]

    def _rows(self, name: str, **more: Any) -> Iterator[Any]:
        asked = {
            "TableName": self._table,
            "KeyConditionExpression": "#name = :name",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":name": {"S": name}},
            "ConsistentRead": True,
        }
        for page in self._client.get_paginator("query").paginate(**asked, **more):
            yield from page["Items"]

    def _remove(self, name: str) -> None:
        self._delete(list(self._rows(name, ProjectionExpression="#name, part")))

    def _delete(self, keys: Sequence[Any]) -> None:
        for start in range(0, len(keys), BATCH):
            left = {self._table: [{"DeleteRequest": {"Key": key}} for key in keys[start : start + BATCH]]}
            for _ in range(AGAIN):
                left = self._patiently(partial(self._client.batch_write_item, RequestItems=left))["UnprocessedItems"]
                if not left or self._ended.wait(AGAIN_S):
                    break


@contextmanager
def _telling() -> Iterator[None]:
    """What boto3 raises, in our words."""
    try:
        yield
    except (ClientError, BotoCoreError, ValueError) as error:
        raise LogTrouble(reason=f"DynamoDB: {error}") from error


def _missing(table: str) -> str:
    return (
        f"there is no table {table}. Make it: aws dynamodb create-table --table-name {table} --billing-mode"
        " PAY_PER_REQUEST --attribute-definitions AttributeName=name,AttributeType=S AttributeName=part,AttributeType=N"
        " --key-schema AttributeName=name,KeyType=HASH AttributeName=part,KeyType=RANGE, then aws dynamodb"
        f" update-time-to-live --table-name {table} --time-to-live-specification Enabled=true,AttributeName=expires;"
        " or let smsd make it: SMSD_KINESIS_CREATE=yes"
    )
