"""The types of settings that are more than a number or a text."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit

import attrs

from smsd.core.signature import parse_secret

T = TypeVar("T")


class Secret:
    """A text that no log, traceback or ``repr`` shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)


def secrets_in(value: object) -> Iterator[str]:
    """Every secret that ``value`` holds, however deep, and the password within one that is a URL."""
    kind = type(value)
    if isinstance(value, Secret):
        text = value.reveal()
        yield text
        with suppress(ValueError):  # a key may look like a URL that is none
            yield urlsplit(text).password or ""
    elif attrs.has(kind):
        for field in attrs.fields(kind):
            yield from secrets_in(getattr(value, field.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from secrets_in(each)


@attrs.frozen(kw_only=True)
class ApiKey:
    """A key that may call the API."""

    #: Whose key it is: the name that logs and quotas show.
    name: str
    #: What the ``X-API-Key`` header has to hold.
    key: Secret


@attrs.frozen(kw_only=True)
class TrustedProxies:
    """The proxies that are believed when they say for whom they ask."""

    #: Where they are.
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    #: Whether one that comes by a socket file is.
    on_socket: bool = False

    def __str__(self) -> str:
        return ", ".join([*map(str, self.networks), *(["unix"] if self.on_socket else [])])


@attrs.frozen(kw_only=True)
class PerKey(Generic[T]):
    """What an operator set for API keys by name, and for those that have no entry of their own."""

    #: The name of an API key, None for all the others, and what is set for it; no name twice.
    entries: tuple[tuple[str | None, T], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The API keys that have an entry of their own."""
        return tuple(name for name, _ in self.entries if name is not None)

    def of(self, name: str) -> T | None:
        """What is set for the API key called ``name``; None when nothing is."""
        values = dict(self.entries)
        return values.get(name, values.get(None))


@attrs.frozen(kw_only=True)
class CallbackSecret:
    """A secret that callbacks are signed with."""

    #: The API key whose callbacks it signs; None: those of every key.
    name: str | None
    #: As it is written, ``whsec_<base64>``.
    secret: Secret

    @property
    def octets(self) -> bytes:
        """What signs."""
        return parse_secret(self.secret.reveal())


@attrs.frozen(kw_only=True)
class MemorySpoolUrl:
    """``memory:``: messages are kept in memory alone."""

    def __str__(self) -> str:
        return "memory:"


@attrs.frozen(kw_only=True)
class SqliteSpoolUrl:
    """``sqlite:///PATH``: messages are kept in an SQLite file."""

    #: Relative to the working directory unless absolute (four slashes in the URL).
    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@attrs.frozen(kw_only=True)
class PostgresSpoolUrl:
    """``postgresql://…``: messages are kept in a PostgreSQL database that several nodes share."""

    #: As libpq takes it, perhaps with a password.
    url: Secret

    def __str__(self) -> str:
        address = urlsplit(self.url.reveal())
        return f"postgresql://{address.hostname or ''}{address.path}"


@attrs.frozen(kw_only=True)
class KafkaUrl:
    """``kafka://HOST:PORT,…/TOPIC``: messages, or dead letters, are kept in a topic."""

    #: ``HOST:PORT,…``.
    brokers: str
    topic: str

    def __str__(self) -> str:
        return f"kafka://{self.brokers}/{self.topic}"


@attrs.frozen(kw_only=True)
class KinesisSpoolUrl:
    """``kinesis://STREAM``: messages are kept in a stream of Amazon Kinesis that several nodes share."""

    stream: str

    def __str__(self) -> str:
        return f"kinesis://{self.stream}"


SpoolUrl: TypeAlias = MemorySpoolUrl | SqliteSpoolUrl | PostgresSpoolUrl | KafkaUrl | KinesisSpoolUrl


@attrs.frozen(kw_only=True)
class DirectoryArchiveUrl:
    """``file:///DIR``: dead letters are kept as files."""

    #: Absolute.
    path: Path

    def __str__(self) -> str:
        return f"file://{self.path}"


@attrs.frozen(kw_only=True)
class S3ArchiveUrl:
    """``s3://BUCKET/PREFIX``: dead letters are kept as objects."""

    bucket: str
    #: Without slashes around it; may be empty.
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


ArchiveUrl: TypeAlias = DirectoryArchiveUrl | S3ArchiveUrl | KafkaUrl


class Gateways(Enum):
    """By which gateways messages go: the first, and the one behind it while that does not work."""

    MESSAGEBIRD = "messagebird"
    BIRD = "bird"
    MESSAGEBIRD_THEN_BIRD = "messagebird,bird"
    BIRD_THEN_MESSAGEBIRD = "bird,messagebird"

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, the first one first."""
        return tuple(self.value.split(","))


class LogFormat(Enum):
    """How a line of the log is written."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
