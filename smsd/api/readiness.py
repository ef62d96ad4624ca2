"""Says whether messages are taken and sent right now, and if not, why."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from smsd.api.problems import Answer

#: The part of a disk that should be free.
FREE: Final = 0.05
#: Seconds by which the wall clock may have moved against the monotonic one.
STEP_S: Final = 2.0


class Readiness:
    """Looks at each thing that can be wrong; some of them stop messages, the others are only told."""

    def __init__(
        self,
        *,
        stops: Mapping[str, Callable[[], str]],
        folder: Path | None,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        drops: Callable[[], Mapping[str, int]],
    ) -> None:
        """``stops`` say, by their names, why messages are not taken or sent; empty while they are.

        ``folder`` is where messages are kept, if on a disk of ours. ``now`` is the wall clock, ``monotonic`` the other
        one, both in seconds; ``drops`` tells what reporters did not get.
        """
        self._stops = stops
        self._folder = folder
        self._now = now
        self._monotonic = monotonic
        self._drops = drops
        self._apart = now() - monotonic()

    def look(self) -> Answer:
        """200 when messages are taken and sent, else 503; in both cases each check with ``ok`` or why not."""
        stopped = {name: why() for name, why in self._stops.items()}
        told = {"disk": self._disk(), "clock": self._clock(), "reporters": self._reporters()}
        checks = {name: why or "ok" for name, why in (stopped | told).items()}
        trouble = next((why for why in stopped.values() if why), "")
        message, status = (trouble, "error") if trouble else ("smsd takes and sends messages", "ok")
        return Answer(code=503 if trouble else 200, body={"message": message, "status": status, "checks": checks})

    def _disk(self) -> str:
        if self._folder is None:
            return ""
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError as error:
            return f"{self._folder}: {error.strerror}"
        free = usage.free / usage.total if usage.total else 1.0  # some file systems do not tell
        return f"only {free:.1%} of the disk is free" if free < FREE else ""

    def _clock(self) -> str:
        step = self._now() - self._monotonic() - self._apart
        return f"the clock was set by {step:+.1f} s since the start" if abs(step) > STEP_S else ""

    def _reporters(self) -> str:
        lost = {name: count for name, count in self._drops().items() if count}
        return ", ".join(f"{name} did not get {count} notices" for name, count in lost.items())
