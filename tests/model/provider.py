"""A provider whose behaviour is drawn, and which knows what it has: what happens there survives any crash of ours."""

import enum
import math
from collections import Counter, deque
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    LookupFailed,
    LookupResult,
    NotFound,
    Outcome,
    Postponed,
    Refused,
    Throttled,
    Unanswered,
)
from smsd.ports import IGateway

#: Seconds until what the provider has appears in its list.
LISTED_S: Final = 0.4
#: Seconds after the time-out at which a late request still arrives.
LATE_S: Final = 1.0


class Fate(enum.Enum):
    """What becomes of one request."""

    ACCEPT = "200"
    REFUSE = "422"
    BUSY = "429"
    ERROR = "500, and it is not stored"
    ERROR_STORED = "500, and it is stored"
    RESET = "reset before it was read"
    RESET_STORED = "reset after it was stored"
    LATE = "timed out, and stored after that"
    UNREACHABLE = "connection refused"
    WRONG_KEY = "401"


#: Fates with which the message is stored.
STORING: Final = frozenset({Fate.ACCEPT, Fate.ERROR_STORED, Fate.RESET_STORED, Fate.LATE})


class Provider:
    """What is at the other end, on the clock of the world."""

    def __init__(self, world: Clock) -> None:
        self.world = world
        self.fates: deque[Fate] = deque()  # of the next requests; all is well after them
        self.back_s = 0.02  # seconds until an answer
        self.silent_lookups = 0  # the next lookups that fail
        self.stored: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.recipients: dict[str, tuple[Msisdn, ...]] = {}
        self._listed_at: dict[str, float] = {}

    def request(self, message: Message) -> Fate:
        """A request for ``message`` is on its way."""
        fate = self.fates.popleft() if self.fates else Fate.ACCEPT
        if fate is Fate.REFUSE:
            self.refused[message.id] += 1
        if fate in STORING:
            there_s = self.back_s + LATE_S if fate is Fate.LATE else self.back_s / 2
            self.world.callLater(there_s, self._store, message)
        return fate

    def has(self, id: str) -> bool:
        """Whether its list shows the message ``id``."""
        return self._listed_at.get(id, self.world.seconds()) < self.world.seconds()

    def _store(self, message: Message) -> None:
        self.stored[message.id] += 1
        self.recipients[message.id] = message.recipients
        self._listed_at.setdefault(message.id, self.world.seconds() + LISTED_S)


@implementer(IGateway)
class Connection:
    """The way there of one process, on its clock: with the process its waiting ends, and not what is on its way."""

    repeatable_s = 0.0
    trusted_s = 0.0

    def __init__(self, provider: Provider, clock: IReactorTime) -> None:
        self._provider = provider
        self._clock = clock

    async def send(self, message: Message, by: float = math.inf) -> Outcome:
        fate = self._provider.request(message)
        await deferLater(self._clock, self._provider.back_s)
        return _outcome(fate, message)

    async def lookup(self, message: Message) -> LookupResult:
        provider = self._provider
        if provider.silent_lookups:
            provider.silent_lookups -= 1
            return LookupFailed(reason="503")
        has = provider.has(message.id)
        await deferLater(self._clock, provider.back_s)
        return Found(provider_id=f"p{message.id}") if has else NotFound()


def _outcome(fate: Fate, message: Message) -> Outcome:
    match fate:
        case Fate.ACCEPT:
            return Accepted(provider_id=f"p{message.id}")
        case Fate.REFUSE:
            return Refused(reason=fate.value)
        case Fate.BUSY:
            return Throttled(reason=fate.value, retry_after_s=1.0)
        case Fate.UNREACHABLE:
            return Postponed(reason=fate.value)
        case Fate.WRONG_KEY:
            return HeldOff(reason=fate.value)
        case _:
            return Unanswered(reason=fate.value, late=fate is Fate.LATE)
