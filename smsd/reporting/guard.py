"""Keeps what goes wrong in a reporter away from everything else, and counts it."""

import threading
from collections.abc import Callable
from typing import Any, Final

from twisted.logger import Logger

#: Seconds between two lines in the log on what one reporter lost.
TELL_S: Final = 60.0


class Guard:
    """What one reporter has lost; may be used from any thread."""

    _log = Logger(namespace="smsd")

    def __init__(self, name: str, monotonic: Callable[[], float]) -> None:
        """``name`` is what the log and the counts call the reporter; ``monotonic`` is in seconds."""
        self.name = name
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told_at: float | None = None
        #: How many never got to where they should.
        self.drops = 0

    def run(self, step: Callable[..., None], *given: Any) -> None:
        """Call ``step`` with what is ``given``; if it raises, that is one drop."""
        try:
            step(*given)
        except Exception as error:  # noqa: BLE001 - whatever a reporter does, the others and the sending go on
            self.drop(type(error).__name__)

    def drop(self, why: str, count: int = 1) -> None:
        """Count ``count`` drops, and tell of them at most once a minute; ``why`` is fit for a log."""
        with self._lock:
            self.drops += count
            now, told_at = self._monotonic(), self._told_at
            is_due = told_at is None or now - told_at >= TELL_S
            if is_due:
                self._told_at = now
        if is_due:  # not as a failure: who reports failures may be the one that lost them
            self._log.warn("{reporter} lost {drops} so far: {why}", reporter=self.name, drops=self.drops, why=why)
