"""What has to keep snapshots of the ledger, beside the stream itself."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs

#: What the name of a topic or a table ends with, where the snapshots of the stream of that name are.
SNAPSHOTS: Final = "-snapshots"


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


def snapshot(text: str | bytes) -> Snapshot | None:
    """The snapshot in the ``text`` of one, perhaps with what a newer smsd says of it; None if it is none."""
    try:
        words = json.loads(text)
        contents = Contents(**_known(Contents, words["contents"]))
        return Snapshot(**_known(Snapshot, words) | {"contents": contents})
    except (ValueError, TypeError, LookupError):
        return None


def _known(made: type[Any], words: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: words[field.name] for field in attrs.fields(made)}


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
        """Those that are there, in the order in which they were enlisted; none if the shelf was never made."""

    def parts(self, snapshot: Snapshot) -> Iterator[bytes]:
        """The parts of ``snapshot``, in their order."""

    def keep_only(self, snapshots: Sequence[Snapshot]) -> None:
        """Let go of all that was enlisted before the first of ``snapshots``, which were listed once."""

    def end(self) -> None:
        """Have what is under way fail soon; any thread may call it, once."""

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
