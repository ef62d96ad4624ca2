"""Makes the sandbox misbehave, by the number a message is for."""

import enum
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import attrs

from smsd.sandbox.store import StoredMessage


class Ending(enum.Enum):
    """How a request ends when it does not end well."""

    ERROR = "an answer with errors"
    LATE = "the right answer, some seconds late"
    NAMELESS = "a 2xx whose message has no id"
    CUT = "half of the right answer, then the connection closes"
    RESET = "no answer, the connection is reset"


@attrs.frozen(kw_only=True)
class Behaviour:
    """What becomes of a message to a magic number."""

    ending: Ending
    taken: bool  #: whether the sandbox has the message all the same
    tries: int | None  #: how many first tries of one reference go this way; None is all of them
    status: int = 201  #: HTTP status of an answer with errors


def _error(status: int, *, tries: int | None, taken: bool = False) -> Behaviour:
    return Behaviour(ending=Ending.ERROR, taken=taken, tries=tries, status=status)


#: 07700 900000 to 900999 never reach a phone: Ofcom keeps them for television and radio drama.
DRAMA: Final = 447700900000

#: Magic number → behaviour. The last three digits are the HTTP status, or the one nearest in meaning.
BEHAVIOURS: Final[Mapping[int, Behaviour]] = {
    DRAMA + 200: Behaviour(ending=Ending.NAMELESS, taken=True, tries=1),
    DRAMA + 206: Behaviour(ending=Ending.CUT, taken=True, tries=1),  # partial content
    DRAMA + 401: _error(401, tries=2),
    DRAMA + 402: _error(402, tries=2),
    DRAMA + 408: Behaviour(ending=Ending.LATE, taken=True, tries=1),  # timeout
    DRAMA + 422: _error(422, tries=None),
    DRAMA + 429: _error(429, tries=2),
    DRAMA + 444: Behaviour(ending=Ending.RESET, taken=False, tries=1),  # nginx: no response
    DRAMA + 499: Behaviour(ending=Ending.RESET, taken=True, tries=1),  # nginx: closed before the answer
    DRAMA + 500: _error(500, tries=1),
    DRAMA + 502: _error(502, tries=1, taken=True),
    DRAMA + 503: _error(503, tries=None),
}

#: References whose tries are counted before the oldest is forgotten.
CAPACITY: Final = 10_000


class Script:
    """Counts the tries of every message to a magic number, by its reference."""

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[int, str], int] = OrderedDict()

    def behaviour(self, message: StoredMessage) -> Behaviour | None:
        """Count one more try of ``message``, and say how it goes; None is well."""
        number = next((n for n in message.recipients if n in BEHAVIOURS), None)
        if number is None:
            return None
        behaviour = BEHAVIOURS[number]
        tried = self._count(number, message.reference or "")
        return behaviour if behaviour.tries is None or tried <= behaviour.tries else None

    def reset(self) -> None:
        """Forget all tries: the next of any message is its first."""
        self._tries.clear()

    def _count(self, number: int, reference: str) -> int:
        tried = self._tries[number, reference] = self._tries.pop((number, reference), 0) + 1
        if len(self._tries) > CAPACITY:
            self._tries.popitem(last=False)
        return tried
