"""Makes a spool of a stream by the words of a test."""

from typing import Any

from smsd.spool.stream.engine import StreamSpool


def spool(reactor: Any, *, kind: str, ledger: str, **words: Any) -> StreamSpool:
    """A node's spool; ``kind`` is ``kafka`` or ``kinesis``."""
    if kind == "kafka":
        from smsd.spool.kafka.engine import kafka_spool

        return kafka_spool(ledger=ledger, reactor=reactor, **words)
    from smsd.spool.kinesis.engine import kinesis_spool

    return kinesis_spool(ledger=ledger, reactor=reactor, **words)
