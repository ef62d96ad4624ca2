"""Says what the SQL of the engines is run by, and where it differs between them."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import attrs


class Cursor(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What runs a statement with ``?`` or ``:name`` in the places of its values."""

    def execute(self, sql: str, values: Any = ..., /) -> Cursor:
        """Run ``sql``."""


@attrs.frozen(kw_only=True)
class Part:
    """Rows that each have the place of a message, ``seq``."""

    where: str
    source: str = "message"  #: behind FROM
    newest: str = "seq DESC"  #: the order in which they come newest first without sorting
    ranges: Mapping[str, str] = attrs.field(factory=dict)  #: by ``before`` or ``floor``: leaves out what is beyond


@attrs.frozen(kw_only=True)
class Dialect:
    """Where the engines differ in a statement that they share."""

    has_recipient: str  #: whether a message is to ``:recipient``
    by_recipient: tuple[Part, ...]  #: where what is to ``:recipient`` is found: all of it in these together
    newest: str  #: has a part, put in place of ``{}``, read newest first and no further than ``:slice``
    source: str  #: the messages, when they are read by their places
    is_on_way: str  #: narrows them down to the places of ``way``, and has them read by these
    lock: str = ""  #: ends a question for rows that are about to be changed
    skip: str = ""  #: the same, passing over what another node is changing
    unlease: str = ""  #: takes the lease from a message that is being changed


def first_line(error: Exception) -> str:
    """What a driver says of ``error``, fit for a log: PostgreSQL quotes whole rows in the lines below the first."""
    return str(error).strip().partition("\n")[0]
