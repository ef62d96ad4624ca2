"""Posts a campaign in chunks, each once however often it is cut off."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from smsd.cli.clock import now, wait
from smsd.cli.connection import Connection, TryLater
from smsd.cli.journal import BadJournal, Journal

#: Seconds after which smsd may have forgotten a key: SMSD_IDEMPOTENCY is 24 h unless set, less one for clocks.
REMEMBERED_S: Final = 23 * 3600.0
#: The longest pause before a chunk that there was no room for is posted again, in seconds.
PAUSE_S: Final = 60


def resumed(path: Path, fresh: Journal, *, again: bool) -> Journal:
    """The journal to go on with: what is kept at ``path``, or ``fresh``. Raises BadJournal.

    ``again`` sends what was sent in full once more.
    """
    kept = Journal.read(path)
    if kept is None:
        return fresh
    if (kept.mark, kept.url) != (fresh.mark, fresh.url):
        raise BadJournal(f"{path} is of another campaign, or of this one to {kept.url}; move it away to begin anew.")
    if not kept.is_done:
        return kept
    if not again:
        raise BadJournal("This campaign is sent already; --again sends it once more.")
    return attrs.evolve(fresh, run=kept.run + 1)


def check_doubt(journal: Journal) -> None:
    """Raises BadJournal when nobody can tell whether the next chunk was taken."""
    if journal.asked_at is not None and now() - journal.asked_at > REMEMBERED_S:
        first = journal.taken * journal.chunk + 1
        raise BadJournal(
            f"Messages {first} to {first + journal.chunk - 1} were posted so long ago that smsd may have forgotten "
            "it: look with smsctl list, then say --in-doubt again or --in-doubt skip."
        )


def post(
    connection: Connection,
    bodies: Sequence[Any],
    journal: Journal,
    path: Path,
    *,
    progress: Callable[[int, str], None],
) -> Journal:
    """Post what of ``bodies`` the journal has not yet; ``progress`` is told how many are taken, and what it waits for.

    Raises Refused, TryLater when it cannot be reached, and OSError.
    """
    for start in range(journal.taken * journal.chunk, len(bodies), journal.chunk):
        chunk = list(bodies[start : start + journal.chunk])
        journal = attrs.evolve(journal, asked_at=journal.asked_at or now()).write(path)
        _post(connection, chunk, journal.key(), partial(progress, start))
        journal = attrs.evolve(journal, taken=journal.taken + 1, asked_at=None)
        progress(start + len(chunk), "")
    return attrs.evolve(journal, is_done=True).write(path)


def _post(connection: Connection, chunk: Sequence[Any], key: str, waits: Callable[[str], None]) -> None:
    while True:
        try:
            connection.post(chunk, key)
            return
        except TryLater as trouble:
            if trouble.retry_after_s is None:
                raise
            waits(trouble.message)
            wait(min(trouble.retry_after_s, PAUSE_S))
