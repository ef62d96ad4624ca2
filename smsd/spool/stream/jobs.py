"""What a node's writer can be asked to do beside what every writer can."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from smsd.core.callback import Callback
from smsd.spool.stream.command import Command
from smsd.spool.writer import Job

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False)
class Propose(Job[T]):
    """Have commands carried out."""

    make: Callable[[], Sequence[Command]]
    conclude: Callable[[Sequence[Any]], T]  #: from the answers, one a command
    otherwise: Callable[[], T] | None = None  #: the answer of a node that has not the lane; None: every node may


@attrs.frozen(kw_only=True, eq=False)
class Follow(Job[int]):
    """Read the log; the answer is how many entries there were."""

    is_to_the_end: bool = False  #: as it is at the moment; otherwise only what has arrived already


@attrs.frozen(kw_only=True, eq=False)
class TakeCallbacks(Job[list[Callback]]):
    """Hand out callbacks, if we have the lane."""

    take: Callable[[], list[Callback]]
