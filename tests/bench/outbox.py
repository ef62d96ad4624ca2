"""How long the sending half's calls take at the engine, over a spool file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.message import Message
from smsd.core.outcome import Accepted
from smsd.core.retry import Backoff
from smsd.core.settle import Policy, begin, settle
from smsd.ports import Lease
from smsd.spool.sqlite import SqliteSpool
from tests.model.threads import ThreadCalls

#: Messages that are leased at once, as many as the window takes.
TOGETHER: Final = 100


@attrs.frozen(kw_only=True)
class Took:
    """Milliseconds for ``TOGETHER`` messages."""

    lease_ms: float
    settle_ms: float  #: written as sending, then as sent


@attrs.frozen
class Outbox:
    """One that is open."""

    spool: SqliteSpool
    threads: ThreadCalls

    def turn(self) -> Took:
        """Lease, and settle as sent."""
        now = time.time()
        begun = time.perf_counter()
        leases = self.threads.result(self.spool.lease(now, TOGETHER))
        leased = time.perf_counter()
        assert len(leases) == TOGETHER, len(leases)
        sending = self._store(leases, [begin(each.message, now, "messagebird") for each in leases])
        self._store(sending, [_sent(each.message, now) for each in sending])
        return Took(lease_ms=(leased - begun) * 1e3, settle_ms=(time.perf_counter() - leased) * 1e3)

    def _store(self, leases: list[Lease], after: list[Message]) -> list[Lease]:
        async def all_of_them() -> list[Lease]:
            pairs = zip(leases, after, strict=True)
            return await gatherResults([Deferred.fromCoroutine(self.spool.store(*each)) for each in pairs])

        stored: list[Lease] = self.threads.result(all_of_them())
        return stored


def _sent(message: Message, now: float) -> Message:
    policy = Policy(backoff=Backoff(base_s=1, cap_s=1))
    return settle(message, Accepted(provider_id="x"), now, policy, 0.0)


@contextmanager
def opened(folder: Path) -> Iterator[Outbox]:
    """That of the spool in ``folder``, which no daemon has open."""
    threads: Any = ThreadCalls()
    spool = SqliteSpool(str(folder / "smsd.db"), reactor=threads)
    spool.open()
    try:
        threads.result(spool.recover(time.time()))
        yield Outbox(spool, threads)
    finally:
        threads.result(spool.close())
