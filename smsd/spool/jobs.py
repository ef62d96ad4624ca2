"""What the writer can be asked to do."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from smsd.core.claim import Claim
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.quota import Quota
from smsd.core.turns import Line
from smsd.ports import Lease
from smsd.spool.record import Row
from smsd.spool.writer import Job

T = TypeVar("T")

#: An id, the state it is to be in, and the values of LIFE and ``ready`` that it gets.
Change = tuple[Any, ...]

#: A line, 1 for what came into it or -1 for what left it, and its place.
Moved = tuple[Line, int, int]


@attrs.frozen(kw_only=True)
class Parcel:
    """New messages that are kept all or none."""

    rows: Sequence[Row]  #: of each message
    claim: Claim | None = None  #: the idempotency key that they come under
    quotas: Sequence[Quota] = ()  #: of the API key that they come under


@attrs.frozen(kw_only=True, eq=False)
class Append(Job[list[Any]]):
    """Keep new messages; the answers are the place of each parcel, or the error that refuses it."""

    parcels: Sequence[Parcel]
    limit: int  #: recipients that may be queued with them

    @property
    def weight(self) -> int:
        """How many rows it writes."""
        return sum([len(parcel.rows) for parcel in self.parcels])


@attrs.frozen(kw_only=True, eq=False)
class Store(Job[Lease]):
    """Put ``after`` in the place of the leased message."""

    lease: Lease
    after: Message
    change: Change


@attrs.frozen(kw_only=True, eq=False)
class Take(Job[list[Lease]]):
    """Lease what is due."""

    now: float  #: UTC epoch seconds
    limit: int
    state: State
    taken: list[Lease] = attrs.field(init=False, factory=list)  #: filled when it is done


@attrs.frozen(kw_only=True, eq=False)
class Release(Job[None]):
    """Give leases back."""

    leases: Sequence[Lease]  #: read when it is done


@attrs.frozen(kw_only=True, eq=False)
class Amend(Job[Message]):
    """Put what ``step`` makes of a message in its place."""

    id: str
    step: Callable[[Message], Message]


@attrs.frozen(kw_only=True, eq=False)
class Recover(Job[int]):
    """Make uncertain what was being sent."""

    now: float  #: UTC epoch seconds


@attrs.frozen(kw_only=True, eq=False)
class Move(Job[int]):
    """Put messages out of their lines, or into them."""

    move: Callable[[], Sequence[Moved]]


@attrs.frozen(kw_only=True, eq=False)
class Simply(Job[T]):
    """Write something that changes no message's state or place."""

    write: Callable[[], T]
