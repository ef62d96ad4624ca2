"""Starts at most one send for each tick of the rate."""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from smsd.core.outlook import Outlook
from smsd.pipeline.window import Window
from smsd.ports import Lease


class Sending(Protocol):
    """What takes messages to a gateway, or to one of several."""

    def takes_another(self) -> bool:
        """Whether a send may start now."""

    def start(self, lease: Lease) -> None:
        """Send ``lease``'s message in the background."""


class Pacer:
    """A ``LoopingCall`` every 1/rate seconds that takes the next message and starts its send, never waiting for it.

    It sets the rhythm; the throttle's permits, taken by the sender, guarantee the rate.
    """

    def __init__(
        self,
        *,
        rate: float,
        window: Window,
        sender: Sending,
        wake: Callable[[], None],
        clock: IReactorTime,
    ) -> None:
        """``wake`` is called when the window has lost one; ``clock`` must be monotonic."""
        self._interval_s = 1.0 / rate
        self._window = window
        self._sender = sender
        self._wake = wake
        self._loop = LoopingCall.withCount(self.tick)
        self._loop.clock = self._clock = clock

    def start(self) -> None:
        """Begin to tick."""
        _ = self._loop.start(self._interval_s)

    def stop(self) -> None:
        """Start no further send."""
        self._loop.stop()

    def outlook(self, permits: Outlook, *, held_s: float, is_waiting: bool, ahead_s: float) -> Outlook:
        """What ``permits`` promise, with the ticks; see Outlook.ticked."""
        call = self._loop.call
        tick_s = 0.0 if call is None else max(0.0, call.getTime() - self._clock.seconds())
        return permits.ticked(tick_s, self._interval_s, held_s=held_s, is_waiting=is_waiting, ahead_s=ahead_s)

    def tick(self, ticks: int = 1) -> None:
        """Start the next send, if one is due and the sender takes it; more if the reactor was late by some ``ticks``.

        A busy reactor would cost rate else: it skips ticks. Those at which nothing was due are not made up for.
        """
        for _ in range(ticks):
            lease = self._window.take() if self._sender.takes_another() else None
            if lease is None:
                return
            self._sender.start(lease)
            self._wake()
