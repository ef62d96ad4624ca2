"""Keeps in memory what receivers are owed and what people sent us."""

from collections import Counter
from collections.abc import Set

import attrs

from smsd.core.callback import Callback
from smsd.core.receiver import origin_of
from smsd.core.report import Inbound


class Postbox:
    """Callbacks in the order of being owed, and incoming messages in the order of arrival."""

    def __init__(self) -> None:
        self._callbacks: dict[str, Callback] = {}
        self._inbound: dict[str, tuple[int, Inbound]] = {}
        self._arrived = 0

    def add(self, callback: Callback) -> None:
        """Queue ``callback``."""
        self._callbacks.setdefault(callback.id, callback)

    def take(self, now: float, until: float, limit: int, per_host: int, without: Set[str]) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``; see ICallbackQueue."""
        taken: list[Callback] = []
        hosts: Counter[str] = Counter()
        for callback in sorted(self._callbacks.values(), key=lambda each: each.not_before):
            host = origin_of(callback.url)
            if callback.not_before <= now and host not in without and hosts[host] < per_host and len(taken) < limit:
                hosts[host] += 1
                taken.append(callback)
        self._callbacks.update((each.id, attrs.evolve(each, not_before=until)) for each in taken)
        return taken

    def settle(self, callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``, or nothing."""
        if after is None:
            self._callbacks.pop(callback.id, None)
        elif callback.id in self._callbacks:
            self._callbacks[callback.id] = after

    def silence(self, id: str) -> None:
        """Forget every callback of message ``id``."""
        for each in [each for each, callback in self._callbacks.items() if callback.message_id == id]:
            del self._callbacks[each]

    def receive(self, inbound: Inbound, callback: Callback | None) -> bool:
        """Keep ``inbound`` and the callback about it; False, and nothing, if it was kept before."""
        if inbound.id in self._inbound:
            return False
        self._arrived += 1
        self._inbound[inbound.id] = (self._arrived, inbound)
        if callback is not None:
            self.add(callback)
        return True

    def received(self, limit: int, before: int | None) -> tuple[list[Inbound], int | None]:
        """A page of what was received; see ICallbackQueue."""
        newest = sorted(self._inbound.values(), key=lambda pair: pair[0], reverse=True)
        older = [pair for pair in newest if before is None or pair[0] < before]
        return [each for _, each in older[:limit]], older[limit - 1][0] if len(older) > limit else None

    def forget(self, before: float, limit: int) -> int:
        """Remove up to ``limit`` incoming messages from before ``before``; the answer is how many."""
        old = [id for id, (_, inbound) in self._inbound.items() if inbound.received_at < before][:limit]
        for id in old:
            del self._inbound[id]
        return len(old)
