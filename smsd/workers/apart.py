"""Has a process of its own ask the provider, and stands in for it while there is none."""

import math
import pickle
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from smsd.core.message import Message
from smsd.core.outcome import LookupFailed, LookupResult, Outcome, Unanswered
from smsd.core.report import Report
from smsd.gateway.access import Access
from smsd.gateway.sessions import CONNECT_S
from smsd.ports import IBundler, IGateway
from smsd.spool import record
from smsd.workers.helper import STOP_S, Helper
from smsd.workers.link import Call

#: Seconds after which one that died is replaced.
AGAIN_S: Final = 1.0
#: Seconds between two looks at what is under way.
LOOK_S: Final = 1.0
#: Looks, beyond what connecting and the answer may take, until it is overdue: before that a name is looked up, which
#: takes long where its servers are away.
SLACK: Final = 20


class SendHelper(Helper):
    """Gives the process messages, and hears what came of them."""

    kind = "send"
    name = "the sending process"

    def __init__(self, *, reactor: Any, access: Access) -> None:
        # It answers what is under way within the provider's timeout.
        super().__init__(reactor=reactor, stop_s=STOP_S + access.timeout_s)
        self._access = access
        self._numbers = count()
        #: By number, in their order: how many messages are under way in a request, and since which look.
        self._asked: dict[int, tuple[int, int, Deferred[Sequence[Outcome]]]] = {}
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._looks = 0
        self._most = math.ceil((CONNECT_S + access.timeout_s) / LOOK_S) + SLACK

    def start(self) -> None:
        """Start the process. Raises OSError: then there is none."""
        self._spawn(attrs.asdict(self._access))
        _ = self._looking.start(LOOK_S, now=False)

    async def send(self, messages: Sequence[Message], by: float) -> Sequence[Outcome]:
        """What the provider says of ``messages``, in one request; see IGateway.send."""
        number = next(self._numbers)
        answer: Deferred[Sequence[Outcome]] = Deferred()
        self._asked[number] = len(messages), self._looks, answer
        self._link.send(("send", number, record.rows_of(messages), by))
        return await answer

    def answered(self, calls: list[Call]) -> None:
        """Take what came of messages."""
        for word, number, outcomes in calls:
            if word != "sent":
                raise ValueError(word)
            *_, answer = self._asked.pop(number)
            answer.callback(pickle.loads(outcomes))

    def _look(self) -> None:
        # By looks and not by the clock: were it we who stood still, the answers lie in the pipe.
        self._looks += 1
        for _, since, _ in self._asked.values():
            if self._looks - since > self._most:
                self._log.error("{name} does not answer: it is killed", name=self.name)
                self.kill()
            return  # the others are younger

    def _gone(self) -> None:
        self._looking.stop()
        # Its requests may have gone out, and may still be on their way from the machine's own buffers.
        for number in list(self._asked):
            size, _, answer = self._asked.pop(number)
            answer.callback([Unanswered(reason="the sending process died", late=True)] * size)


@implementer(IGateway)
class ApartGateway:
    """A gateway whose requests to send go out from a process of its own; while there is none, from threads here."""

    _log = Logger()

    def __init__(self, *, own: Any, access: Access, reactor: Any) -> None:
        """``own`` is a gateway with the same ``access``; it answers all other questions."""
        self._own = own
        self._access = access
        self._reactor = reactor
        self._helper: SendHelper | None = None
        self._is_open = False
        self.repeatable_s = own.repeatable_s
        self.trusted_s = own.trusted_s

    @property
    def is_apart(self) -> bool:
        """Whether the process is there."""
        return self._helper is not None and self._helper.is_ready

    def start(self) -> None:
        """Open for business."""
        self._is_open = True
        self._own.start()
        self._hire()

    async def close(self) -> None:
        """Take no more, and wait for the answers that are due. May be repeated."""
        self._is_open = False
        if (helper := self._helper) is not None:
            helper.stop()
            await helper.ended
        await self._own.close()

    async def send(self, message: Message, by: float = math.inf) -> Outcome:
        """See IGateway."""
        if self._helper is None or not self._helper.is_ready:
            outcome: Outcome = await self._own.send(message, by)
            return outcome
        return (await self._helper.send([message], by))[0]

    async def lookup(self, message: Message) -> LookupResult:
        """See IGateway."""
        result: LookupResult = await self._own.lookup(message)
        return result

    async def reports(self, message: Message) -> tuple[Report, ...] | LookupFailed:
        """See IGateway."""
        reports: tuple[Report, ...] | LookupFailed = await self._own.reports(message)
        return reports

    def _hire(self) -> None:
        if not self._is_open:
            return
        helper = SendHelper(reactor=self._reactor, access=self._access)
        try:
            helper.start()
        except OSError as error:  # no descriptor is left, or no memory: we send from here meanwhile
            self._log.warn("no sending process can be started: {why}", why=error.strerror)
            self._gone(None)
        else:
            self._helper = helper
            _ = helper.ended.addCallback(self._gone)

    def _gone(self, _: None) -> None:
        self._helper = None
        if self._is_open:
            self._reactor.callLater(AGAIN_S, self._hire)


@implementer(IBundler)
class ApartBundler(ApartGateway):
    """The same of a provider that takes bundles."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.carries = self._own.carries

    async def send_together(self, messages: Sequence[Message], by: float = math.inf) -> Sequence[Outcome]:
        """See IBundler."""
        if self._helper is None or not self._helper.is_ready:
            outcomes: Sequence[Outcome] = await self._own.send_together(messages, by)
            return outcomes
        return await self._helper.send(messages, by)


def apart(own: Any, access: Access, reactor: Any) -> ApartGateway:
    """``own``, a gateway with ``access``, but with a process of its own."""
    kind = ApartBundler if IBundler.providedBy(own) else ApartGateway
    return kind(own=own, access=access, reactor=reactor)
