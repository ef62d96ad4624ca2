"""Brings together again what went in one request, when nobody knows whether it was taken."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

import attrs
from twisted.internet.interfaces import IReactorTime

from smsd.core.bundle import is_whole
from smsd.core.doubt import is_repeatable, is_within
from smsd.core.errors import LeaseLost
from smsd.core.outcome import LookupFailed, NotFound
from smsd.core.policy import Policy
from smsd.core.steps import forsake
from smsd.pipeline.lane import Lane
from smsd.ports import IOutbox, Lease

#: Seconds that the messages of a bundle are waited for, from the first of them on: all became uncertain at once.
WAIT_S: Final = 5.0


class Sending(Protocol):
    """What sends by one gateway."""

    def takes_another(self) -> bool:
        """Whether a send may start now."""

    def start(self, *leases: Lease) -> None:
        """Send the messages of ``leases`` in the background, in one request."""


@attrs.define(kw_only=True)
class _Group:
    since: float  #: monotonic seconds; when the first of them was found
    leases: list[Lease] = attrs.field(factory=list)

    def is_whole(self) -> bool:
        return is_whole([lease.message for lease in self.leases])


class Gathering:
    """Holds the leases of what is uncertain and went in one request, until all of it is there.

    Then it goes again as the same request, under the same key, past the line: it was in line once. What cannot be
    brought together, or is too old to be known for the same, is asked for one by one.
    """

    def __init__(
        self,
        *,
        outbox: IOutbox,
        lanes: Mapping[str, Lane],
        senders: Mapping[str, Sending],
        policy: Policy,
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        """``lanes`` and ``senders`` go by the names of their gateways."""
        self._outbox = outbox
        self._lanes = lanes
        self._senders = senders
        self._policy = policy
        self._clock = clock
        self._now = now
        self._groups: dict[str, _Group] = {}

    def add(self, lease: Lease) -> None:
        """Take over ``lease``, of a message that is uncertain and went together with others."""
        group = self._groups.setdefault(lease.message.bundle, _Group(since=self._clock.seconds()))
        group.leases.append(lease)

    async def go_on(self) -> None:
        """Send again what is whole, and give up what is late or cannot go again. Raises SpoolUnavailable."""
        for bundle, group in list(self._groups.items()):
            if not group.is_whole():
                if self._clock.seconds() - group.since >= WAIT_S:
                    await self._give_up(bundle)
            elif not self._is_repeatable(group) or not await self._is_free(group):
                await self._give_up(bundle)
            elif (sender := self._senders[group.leases[0].message.gateway]).takes_another():
                del self._groups[bundle]
                sender.start(*group.leases)

    async def stop(self) -> None:
        """Give back everything."""
        while self._groups:
            for lease in self._groups.popitem()[1].leases:
                await self._outbox.release(lease)

    def _is_repeatable(self, group: _Group) -> bool:
        name, now = group.leases[0].message.gateway, self._now()
        if name not in self._senders or self._lanes[name].bundler is None:
            return False
        window_s = self._lanes[name].gateway.repeatable_s
        return all(is_repeatable(lease.message, now, self._policy, window_s) for lease in group.leases)

    async def _is_free(self, group: _Group) -> bool:
        """Whether it may go again: the provider knows a repeat for one, or does not have it. Else each is asked for."""
        first = group.leases[0].message
        gateway = self._lanes[first.gateway].gateway
        is_known = is_within(first, self._now(), gateway.trusted_s)
        if is_known and not first.asks_first:
            return True
        result = await gateway.lookup(first)
        # What it broke down over lately it cannot tell of either, and the same key is as good as waiting for the list.
        return isinstance(result, NotFound) or (is_known and isinstance(result, LookupFailed))

    async def _give_up(self, bundle: str) -> None:
        leases = self._groups[bundle].leases
        while leases:
            with suppress(LeaseLost):  # a report has told of it meanwhile
                await self._outbox.store(leases[0], forsake(leases[0].message))
            leases.pop(0)
        del self._groups[bundle]
