"""What a stream has to do for us: keep entries in one order that all nodes see."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from smsd.core.errors import SpoolRefused, SpoolUnavailable


@attrs.frozen(kw_only=True)
class LogTrouble(SpoolUnavailable):
    """The spool cannot be used: {reason}."""


@attrs.frozen(kw_only=True)
class LogLost(LogTrouble):
    """The spool cannot be used: {reason}."""


@attrs.frozen(kw_only=True)
class LogCut(SpoolRefused):
    """The spool cannot be opened: {reason}."""


@attrs.frozen(kw_only=True)
class Logged:
    """One entry, as it was read."""

    position: str  #: in the log; only the log knows its meaning
    data: bytes


class Log(Protocol):
    """A totally ordered log; for one thread at a time. Every method may block."""

    #: Octets that an entry may have.
    largest: int

    def open(self) -> str:
        """Connect, and make what is missing if that is wanted; the answer is another for each log there ever was.

        Raises SpoolRefused.
        """

    def start(self, after: str) -> None:
        """Read on after the position ``after``; empty: from the first entry.

        Raises LogCut if something that came after it was let go of, SpoolRefused if there is no such position, and
        LogTrouble.
        """

    def publish(self, entries: Sequence[bytes]) -> None:
        """Add ``entries``, in their order; returns when they are durable.

        Raises LogTrouble; then each of them may be there or not, and may be there twice.
        """

    def read(self, within_s: float) -> Sequence[Logged]:
        """The next entries; waits up to ``within_s`` seconds for the first.

        Raises LogTrouble; LogLost if what came next was let go of.
        """

    def end(self) -> float:
        """Where the log ends now, or when that was asked; only the log knows its meaning. Raises LogTrouble."""

    def is_before(self, end: float) -> bool:
        """Whether of what was there at ``end`` something was not read yet. Raises LogTrouble."""

    def cut(self, positions: Sequence[str]) -> None:
        """Let go of what is before the first of ``positions``, if the log does not do so by itself.

        Any thread may call it. Raises LogTrouble.
        """

    def close(self) -> None:
        """Let go of connections and threads."""
