"""Asks an archive without a reactor."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from smsd.ports import IArchive


class Waiting:
    """An archive whose ``defer`` calls at once, so that every answer is there when it returns."""

    def __init__(self, archive: Any) -> None:
        verifyObject(IArchive, archive)
        self._archive = archive

    def put(self, key: str, body: bytes) -> None:
        _result(self._archive.put(key, body))

    def get(self, key: str) -> bytes:
        body: bytes = _result(self._archive.get(key))
        return body

    def list(self, prefix: str, after: str = "") -> Sequence[str]:
        keys: Sequence[str] = _result(self._archive.list(prefix, after))
        return keys


def _result(asked: Any) -> Any:
    results: list[Any] = []
    Deferred.fromCoroutine(asked).addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]
