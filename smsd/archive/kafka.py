"""Keeps letters as records of a topic, for whoever consumes it."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.letter import ArchiveFailed, NoSuchLetter
from smsd.ports import IArchive

#: Keys of one answer to ``list``.
PAGE: Final = 1000
_TROUBLE: Final = (SpoolRefused, SpoolUnavailable)


class Record(Protocol):
    """One letter in a topic, as the client for Kafka gives it."""

    def key(self) -> bytes | None:
        """Under which it was added."""

    def value(self) -> bytes | None:
        """The letter."""

    def offset(self) -> int | None:
        """Where it is."""


class Topic(Protocol):
    """What a topic has to do for us; every method may block, and raises SpoolRefused and SpoolUnavailable."""

    def prepare(self) -> None:
        """Make it if it is not there, or say what to make."""

    def is_there(self) -> bool:
        """Whether it was made."""

    def add(self, key: str, values: Iterable[bytes]) -> int:
        """Add ``values``, durably, each under ``key``; the answer is where the first of them is."""

    def read(self, start: int = 0) -> Iterator[Record]:
        """What there is at the moment, from ``start`` on."""


@implementer(IArchive)
class KafkaArchive:
    """One record a letter, under its key; of those with one key the first counts."""

    def __init__(self, topic: Topic, *, defer: Callable[..., Deferred[Any]], page: int = PAGE) -> None:
        """Keep letters in ``topic``; a list has ``page`` keys. ``defer`` calls a function in a thread."""
        self._topic = topic
        self._defer = defer
        self._page = page
        self._lock = threading.Lock()
        self._is_prepared = False
        self._offsets: dict[str, int] = {}  # by key
        self._next = 0  # offset from which on nothing was looked at

    async def put(self, key: str, body: bytes) -> None:
        """See IArchive."""
        await self._defer(self._safely, self._put, key, body)

    async def list(self, prefix: str, after: str = "") -> Sequence[str]:
        """See IArchive."""
        found: Sequence[str] = await self._defer(self._safely, self._list, prefix, after)
        return found

    async def get(self, key: str) -> bytes:
        """See IArchive."""
        body: bytes = await self._defer(self._safely, self._get, key)
        return body

    def _safely(self, do: Callable[..., Any], *arguments: Any) -> Any:
        try:
            with self._lock:
                return do(*arguments)
        except _TROUBLE as error:
            raise ArchiveFailed(reason=error.reason) from None

    def _put(self, key: str, body: bytes) -> None:
        if not self._is_prepared:
            self._topic.prepare()
            self._is_prepared = True
        _ = self._topic.add(key, [body])

    def _get(self, key: str) -> bytes:
        self._look()
        if key not in self._offsets:
            raise NoSuchLetter(key=key)
        return next(self._topic.read(self._offsets[key])).value() or b""

    def _list(self, prefix: str, after: str) -> Sequence[str]:
        self._look()
        found = sorted(key for key in self._offsets if key.startswith(prefix) and key > after)
        return list(islice(found, self._page))

    def _look(self) -> None:
        """Take note of what has come into the topic since we last looked."""
        for record in self._topic.read(self._next) if self._topic.is_there() else ():
            offset = record.offset() or 0
            self._next = offset + 1
            _ = self._offsets.setdefault((record.key() or b"").decode(errors="replace"), offset)
