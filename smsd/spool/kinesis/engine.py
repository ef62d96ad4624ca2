"""Makes a spool of a stream of Kinesis."""

from typing import Any, Final

import boto3
from botocore.config import Config

from smsd.spool.kinesis.log import KinesisLog
from smsd.spool.kinesis.shelf import DynamoShelf
from smsd.spool.stream.engine import PATIENCE_S, StreamSpool
from smsd.spool.stream.shelf import SNAPSHOTS, Keeping, Timing
from smsd.spool.writer import IWriterReactor

#: Seconds between two looks into the stream: a shard takes five a second, from all nodes together.
FOLLOW_S: Final = 0.5


def kinesis_spool(
    stream: str,
    *,
    ledger: str,
    reactor: IWriterReactor,
    create: bool = False,
    trust: bool = False,
    patience_s: float = PATIENCE_S,
    follow_s: float = FOLLOW_S,
    snapshots: Timing | None = None,
    **more: Any,
) -> StreamSpool:
    """A spool in ``stream``, with this node's ledger in the file ``ledger``.

    The account, the region and the address are AWS's own settings; with ``create`` a missing stream is made, with
    ``trust`` the ledger is believed to miss nothing that the stream has dropped. ``snapshots`` go into a
    table of DynamoDB; with None there are none. The rest is StreamSpool's.
    """
    config = Config(connect_timeout=patience_s, read_timeout=patience_s, retries={"total_max_attempts": 2})
    log = KinesisLog(
        stream,
        client=lambda: boto3.client("kinesis", config=config),
        create=create,
        trust=trust,
        patience_s=patience_s,
        monotonic=reactor.seconds,
    )
    if snapshots is not None:
        tables = lambda: boto3.client("dynamodb", config=config)  # noqa: E731
        shelf = DynamoShelf(stream + SNAPSHOTS, client=tables, create=create, now=snapshots.now)
        more["keeping"] = Keeping(shelf, snapshots)
    more |= {"ledger": ledger, "reactor": reactor, "patience_s": patience_s, "follow_s": follow_s}
    return StreamSpool(log, name=f"kinesis stream {stream}", **more)
