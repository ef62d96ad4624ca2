"""Passes things on in a thread of its own, so that whoever hands them over never waits."""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from smsd.reporting.guard import Guard

#: Items that may wait: six seconds' worth at 500 messages a second with three notices each.
LIMIT: Final = 10_000

_Item = TypeVar("_Item")


class Outlet(Generic[_Item]):
    """A bounded queue with one thread behind it; what finds no room is dropped and counted."""

    def __init__(
        self,
        name: str,
        take: Callable[[_Item], None],
        *,
        monotonic: Callable[[], float],
        limit: int = LIMIT,
        close: Callable[[float], None] = lambda within_s: None,
        lost: Callable[[], int] = lambda: 0,
    ) -> None:
        """Give each item to ``take``, with at most ``limit`` of them waiting.

        ``close`` is called in the thread after the last item, with the seconds it may take; ``lost`` says how many
        items never arrived that ``take`` had taken. ``monotonic`` is in seconds.
        """
        #: What was lost on the way to ``take``.
        self.guard = Guard(name, monotonic)
        self._lost = lost
        self._take = take
        self._close = close
        self._monotonic = monotonic
        self._queue: queue.Queue[_Item | None] = queue.Queue(limit)
        # A daemon thread: one that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"smsd-{name}", daemon=True)
        self._deadline: float | None = None

    @property
    def drops(self) -> int:
        """How many items never got to where they should."""
        return self.guard.drops + self._lost()

    def start(self) -> None:
        """Begin to pass on; what was put before has waited for this."""
        self._thread.start()

    def put(self, item: _Item) -> None:
        """Pass ``item`` on, or drop it when there is no room or we are closing; never raises, never waits."""
        if self._deadline is not None:
            self.guard.drop("it is closed")
            return
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.guard.drop("too many wait for it")

    def begin_close(self, within_s: float) -> None:
        """Take nothing more; what waits is still passed on, for ``within_s`` seconds at most."""
        self._deadline = self._monotonic() + within_s
        with contextlib.suppress(queue.Full):  # then the thread is awake anyway, and sees the deadline
            self._queue.put_nowait(None)

    def finish_close(self) -> None:
        """Wait for the thread until the time that ``begin_close`` gave is over; one that hangs is left to itself."""
        if self._thread.is_alive():
            self._thread.join(self._left_s())
        left = sum(item is not None for item in list(self._queue.queue))
        if left:
            self.guard.drop("there was no time left at the end", left)

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self.guard.run(self._take, item)
        self.guard.run(self._close, self._left_s())

    def _next(self) -> _Item | None:
        if self._deadline is None:
            return self._queue.get()
        if not self._left_s():
            return None
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def _left_s(self) -> float:
        return 0.0 if self._deadline is None else max(0.0, self._deadline - self._monotonic())
