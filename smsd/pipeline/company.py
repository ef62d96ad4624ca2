"""Finds what goes in one request with a message that is about to be sent."""

from collections.abc import Callable

from smsd.core.message import Message
from smsd.pipeline.lane import Lane
from smsd.pipeline.window import Window
from smsd.ports import Lease


def company(lane: Lane, *, window: Window, of_all: bool, wake: Callable[[], None]) -> Callable[[Lease], list[Lease]]:
    """Who goes with a lease on ``lane``; nobody if its provider takes one message in a request."""
    if lane.bundler is None:
        return lambda lease: [lease]
    return Company(window=window, carries=lane.bundler.carries, of_all=of_all, wake=wake).of


class Company:
    """Takes from the window, for the message whose turn has come, those behind it that fit into its request.

    It stops at the first that does not: nobody is overtaken.
    """

    def __init__(self, *, window: Window, carries: int, of_all: bool, wake: Callable[[], None]) -> None:
        """A request carries ``carries`` recipients; unless ``of_all``, only parts of one broadcast go together.

        ``wake`` is called when the window has lost some.
        """
        self._window = window
        self._carries = carries
        self._of_all = of_all
        self._wake = wake

    def of(self, lease: Lease) -> list[Lease]:
        """``lease`` and what goes with it, in their order."""
        first, together = lease.message, [lease]
        room = self._carries - len(first.remaining)

        def fits(message: Message) -> bool:
            is_kin = self._of_all or (message.batch != "" and message.batch == first.batch)
            is_kin = is_kin and message.bundle == first.bundle  # whoever is in a half of its own stays there
            return message.may_have_company and is_kin and len(message.remaining) <= room

        while first.may_have_company and (more := self._window.take(fits)) is not None:
            together.append(more)
            room -= len(more.message.remaining)
        if len(together) > 1:
            self._wake()
        return together
