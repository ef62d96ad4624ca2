"""Sees to it that the stream is there, or says what to do."""

from datetime import UTC
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from smsd.core.errors import SpoolRefused

#: Hours for which a stream that we make keeps its records: a node may be off for as long and go on by itself.
KEEP_H: Final = 168
#: Seconds between two looks at whether a stream is there, and how many.
DELAY_S: Final = 0.5
LOOKS: Final = 120


def prepare(client: Any, stream: str, *, create: bool) -> str:
    """Make ``stream`` if it is not there and ``create`` says so; the answer is another for each stream there ever was.

    Raises SpoolRefused, with what is to be made if we may not.
    """
    try:
        try:
            described = client.describe_stream(StreamName=stream)["StreamDescription"]
        except client.exceptions.ResourceNotFoundException:
            if not create:
                raise SpoolRefused(reason=_missing(stream)) from None
            _make(client, stream)
            described = {}
        if described.get("StreamStatus") not in {"ACTIVE", "UPDATING"}:
            described = _awaited(client, stream)
    except (ClientError, BotoCoreError) as error:
        raise SpoolRefused(reason=f"Kinesis: {error}") from error
    made_at = described.get("StreamCreationTimestamp")
    # boto3 gives it in the time zone of this machine.
    return f"{described['StreamARN']} {made_at.astimezone(UTC) if made_at else ''}"


def _missing(stream: str) -> str:
    return (
        f"there is no stream {stream}. Make it: aws kinesis create-stream --stream-name {stream} --shard-count 1, then"
        f" aws kinesis increase-stream-retention-period --stream-name {stream} --retention-period-hours {KEEP_H};"
        " or let smsd make it: SMSD_KINESIS_CREATE=yes"
    )


def _make(client: Any, stream: str) -> None:
    try:
        client.create_stream(StreamName=stream, ShardCount=1)
    except client.exceptions.ResourceInUseException:
        return  # another node was faster
    _awaited(client, stream)
    client.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=KEEP_H)


def _awaited(client: Any, stream: str) -> Any:
    waiting = {"Delay": DELAY_S, "MaxAttempts": LOOKS}
    client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig=waiting)
    return client.describe_stream(StreamName=stream)["StreamDescription"]
