"""Takes the provider's status reports to the messages they are about."""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from smsd.core.errors import StillSending
from smsd.core.message import Message
from smsd.core.notice import of
from smsd.core.report import Report
from smsd.core.settle import reported
from smsd.ports import ILedger, IReporter

#: Seconds between two tries to take a report that has overtaken the answer to its own request.
AGAIN_S: Final = 0.25
#: Tries; after ten seconds the provider is told to come again.
TRIES: Final = 40


class Reports:
    """Late, repeated and disordered reports all end in the same: what is final is never taken back."""

    def __init__(self, *, ledger: ILedger, clock: IReactorTime, now: Callable[[], float], reporter: IReporter) -> None:
        self._ledger = ledger
        self._clock = clock
        self._now = now
        self._reporter = reporter

    async def take(self, report: Report) -> None:
        """Write ``report`` down. Raises UnknownMessage, StillSending after ten seconds, SpoolUnavailable."""
        for _ in range(TRIES):
            try:
                await self._amend(report)
            except StillSending:
                await deferLater(self._clock, AGAIN_S)
            else:
                return
        await self._amend(report)

    async def _amend(self, report: Report) -> None:
        def step(message: Message) -> Message:
            return reported(message, report, self._now())

        await amend(self._ledger, report.reference, step, self._reporter)


async def amend(ledger: ILedger, id: str, step: Callable[[Message], Message], reporter: IReporter) -> None:
    """Amend a message as ILedger does, and report the state that this leads to, if it is another one."""
    before: list[Message] = []

    def remembered(message: Message) -> Message:
        before.append(message)
        return step(message)

    after = await ledger.amend(id, remembered)
    if after.state is not before[-1].state:
        reporter.report(of(after))
