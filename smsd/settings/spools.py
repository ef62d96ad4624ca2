"""Turns what a person wrote about where messages and dead letters are kept into a typed value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from smsd.settings.kinds import Kind, Wrong, written
from smsd.settings.types import (
    ArchiveUrl,
    DirectoryArchiveUrl,
    KafkaUrl,
    KinesisSpoolUrl,
    MemorySpoolUrl,
    PostgresSpoolUrl,
    S3ArchiveUrl,
    Secret,
    SpoolUrl,
    SqliteSpoolUrl,
)

#: A host's name or address (IPv6 in brackets) and its port.
_BROKER: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
#: What Kafka's brokers allow: org.apache.kafka.common.internals.Topic.
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
#: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html, StreamName.
_STREAM: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LIBRDKAFKA: Final = re.compile(r"[a-z0-9._]+")


def _spool_url(given: object) -> SpoolUrl:
    text = written(given)
    match text.partition("://"):
        case "memory:", "", "":
            return MemorySpoolUrl()
        case "postgresql" | "postgres", "://", _:
            return PostgresSpoolUrl(url=Secret(text))
        case "sqlite", _, rest:
            return _sqlite(rest)
        case "kafka", _, rest:
            return _kafka(rest)
        case "kinesis", _, rest if _STREAM.fullmatch(rest):
            return KinesisSpoolUrl(stream=rest)
        case _:
            raise Wrong


def _sqlite(rest: str) -> SqliteSpoolUrl:
    path = rest.removeprefix("/")
    if path == rest or not path or path.endswith(("/", "/.", "/..")) or path in (".", ".."):
        raise Wrong
    # SQLite would keep this one in memory, and lose what was answered 200.
    if Path(path).name == ":memory:":
        raise Wrong("for a spool in memory write memory:")
    return SqliteSpoolUrl(path=Path(path))


def _kafka(rest: str) -> KafkaUrl:
    brokers, _, topic = rest.partition("/")
    if not all(_BROKER.fullmatch(broker) for broker in brokers.split(",")):
        raise Wrong("each broker is HOST:PORT, with a comma between two")
    if not _TOPIC.fullmatch(topic):
        raise Wrong("a topic's name has up to 249 of A-Z, a-z, 0-9, dot, underscore and hyphen")
    return KafkaUrl(brokers=brokers, topic=topic)


def _archive_url(given: object) -> ArchiveUrl:
    text = written(given)
    directory = text.removeprefix("file://")
    if directory != text:
        if not directory.startswith("/") or directory == "/":
            raise Wrong("a folder's path is absolute: file:///var/lib/smsd/dead")
        return DirectoryArchiveUrl(path=Path(directory))
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    if (rest := text.removeprefix("kafka://")) != text:
        return _kafka(rest)
    bucket = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?", text)
    if bucket is None:
        raise Wrong
    return S3ArchiveUrl(bucket=bucket[1], prefix=(bucket[2] or "").strip("/"))


def _passed_on(given: object) -> tuple[tuple[str, Secret], ...]:
    if not isinstance(given, dict):
        raise Wrong
    for name, value in given.items():
        if not _LIBRDKAFKA.fullmatch(name) or not isinstance(value, str | int | float):
            raise Wrong
    # Truths as librdkafka writes them.
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
    return tuple((name, Secret(text)) for name, text in sorted(texts.items()))


SPOOL_URL: Final = Kind[SpoolUrl](
    allowed="memory:, sqlite:///PATH, postgresql://…, kafka://HOST:PORT,…/TOPIC or kinesis://STREAM", parse=_spool_url
)
ARCHIVE_URL: Final = Kind[ArchiveUrl](
    allowed="s3://BUCKET/PREFIX, file:///DIR or kafka://HOST:PORT,…/TOPIC", parse=_archive_url
)
LIBRDKAFKA: Final = Kind[tuple[tuple[str, Secret], ...]](
    allowed="set one by one, such as SMSD_KAFKA_SECURITY_PROTOCOL for security.protocol; in toml, a table",
    parse=_passed_on,
)
