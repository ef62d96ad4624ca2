"""What has to keep snapshots of the ledger, beside the stream itself."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class Contents:
    """What is in the parts of a snapshot, in short."""

    parts: int
    octets: int
    digest: str  #: SHA-256, in hexadecimal


@attrs.frozen(kw_only=True)
class Snapshot:
    """One snapshot, but for what is in it."""

    name: str  #: no other has it
    log: str  #: that the ledger was made from
    position: str  #: of the last entry that is in it
    made_at: float  #: UTC epoch seconds
    contents: Contents
    where: str  #: only the shelf knows its meaning

    @property
    def text(self) -> str:
        """It as JSON."""
        return json.dumps(attrs.asdict(self))


def snapshot(text: str | bytes) -> Snapshot:
    """The snapshot in the ``text`` of one."""
    words = json.loads(text)
    return Snapshot(**words | {"contents": Contents(**words["contents"])})


class Shelf(Protocol):
    """Keeps snapshots; for one thread at a time. Every method may block, and raises LogTrouble."""

    #: Octets that a part may have.
    largest: int

    def prepare(self) -> None:
        """Make what is missing, or say what to make: raises SpoolRefused."""

    def put(self, name: str, parts: Iterable[bytes]) -> str:
        """Keep the ``parts`` of a snapshot to be, durably; the answer is its ``where``."""

    def enlist(self, snapshot: Snapshot) -> None:
        """Have ``snapshot``, whose parts are all there, among those that are listed, durably."""

    def listed(self) -> Sequence[Snapshot]:
        """Those that are there, the oldest first; none if the shelf was never made."""

    def parts(self, snapshot: Snapshot) -> Iterator[bytes]:
        """The parts of ``snapshot``, in their order."""

    def keep_only(self, snapshots: Sequence[Snapshot]) -> None:
        """Let go of all that is older than the oldest of ``snapshots``."""

    def close(self) -> None:
        """Let go of connections."""


@attrs.frozen(kw_only=True)
class Timing:
    """How often a snapshot is taken."""

    every_s: float  #: 0: never, but those that are there are used
    now: Callable[[], float]  #: UTC epoch seconds


@attrs.frozen
class Keeping:
    """Where snapshots are kept, and how often one is taken."""

    shelf: Shelf
    timing: Timing
