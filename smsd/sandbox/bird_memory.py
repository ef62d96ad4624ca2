"""Remembers by its idempotency key what a request was answered."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import attrs

from smsd.sandbox.bird_problems import BirdRefusal

#: Seconds. Bird has named a day, and of late "roughly 3 hours" (bird.com, "Idempotency"); see gateway.bird.
REMEMBERED_S: Final = 86_400.0
#: Keys remembered before the oldest is forgotten.
CAPACITY: Final = 50_000


@attrs.frozen
class Answer:
    """What a request came to."""

    status: int  #: of HTTP
    body: dict[str, Any]


@attrs.define
class _Known:
    request: str  #: a fingerprint of path and body
    since: float  #: UTC epoch seconds
    answer: Answer | None = None  #: None while the request is under way


class Memory:
    """Answers by key, for ``remembered_s`` seconds; ``now`` gives UTC epoch seconds."""

    def __init__(self, now: Callable[[], float], remembered_s: float = REMEMBERED_S) -> None:
        self._now = now
        self._remembered_s = remembered_s
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def begin(self, key: str, path: str, body: bytes) -> Answer | None:
        """The answer that ``key`` was given before, or None: then it is taken. Raises BirdRefusal (409)."""
        request = hashlib.sha256(path.encode() + b"\0" + body).hexdigest()
        known = self._known.get(key)
        if known is None or known.since + self._remembered_s <= self._now():
            self._known[key] = _Known(request, self._now())
            self._known.move_to_end(key)
            if len(self._known) > CAPACITY:
                self._known.popitem(last=False)
            return None
        if known.request != request:
            raise BirdRefusal(
                409, name="IdempotencyKeyReuse", code="E01005", message="The key was used for another request."
            )
        if known.answer is None:
            raise BirdRefusal(409)
        return known.answer

    def end(self, key: str, answer: Answer | None) -> None:
        """The request under ``key`` has come to ``answer``; None: to nothing that is given again, the key is free."""
        if answer is None:
            self._known.pop(key, None)
        elif key in self._known:
            self._known[key].answer = answer

    def clear(self) -> None:
        """Forget all keys."""
        self._known.clear()
