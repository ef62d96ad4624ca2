"""The accept process itself."""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from smsd.api.door import Door
from smsd.api.exchange import Heads, Reply
from smsd.api.posting import Posting
from smsd.collecting import collect_rarely
from smsd.core.claim import Claimed
from smsd.core.notice import Took
from smsd.core.outlook import Outlook
from smsd.pipeline.ids import Ids
from smsd.pipeline.intake import Intake
from smsd.workers.caller import Caller
from smsd.workers.child import DOOR, Child
from smsd.workers.connection import Connections
from smsd.workers.handover import Handover
from smsd.workers.link import Call
from smsd.workers.terms import Terms

#: Seconds between two looks for connections that nothing comes in on, and at durations that are not told yet.
SWEEP_S: Final = 5.0
#: Each answer of the daemon brings its own.
_NONE: Final = Outlook(pace=1.0)


class AcceptProcess(Child):
    """Judges what is posted to the connections that it is given."""

    def __init__(self, reactor: Any, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        """``now`` is UTC epoch seconds, ``monotonic`` is in seconds."""
        super().__init__(reactor)
        self._now = now
        self._monotonic = monotonic
        self._caller = Caller(self._link.send)
        self._took: list[float] = []
        self._sweeping = LoopingCall(self._sweep)
        self._is_stopping = False

    def carry_out(self, call: Call) -> None:
        """Do what the daemon asks for, or take its answer."""
        match call:
            case "begin", terms:
                self._begin(Terms(**terms))
            case ("stop",):
                self._stop()
            case _:
                self._caller.take(call)

    def _begin(self, terms: Terms) -> None:
        self._names = {key: name for name, key in terms.keys.items()}
        intake = Intake(
            admit=self._caller.admit,
            outlook=lambda: _NONE,
            idempotency_s=0.0,  # a key takes the request to the daemon
            callback_url=lambda name: terms.callback_urls.get(name, ""),
            new_id=Ids(self._now),
            now=self._now,
            aside=deferToThread,
        )
        posting = Posting(
            intake=intake, claimed=_unclaimed, allow_private=terms.allow_private, now=self._now, defer=deferToThread
        )
        self._door = Door(
            sender=lambda given, peer: self._names[given],
            posting=posting,
            monotonic=self._monotonic,
            measure=self._measure,
        )
        door = socket.socket(fileno=DOOR)
        connections = Connections(
            shortcut=self._posted,
            forward=self._forwarded,
            heads=Heads(self._monotonic),
            give_back=lambda *given: self._handover.give(*given),
        )
        self._connections = connections
        self._handover = Handover(reactor=self._reactor, door=door, factory=connections)
        self._handover.start()
        self._sweeping.clock = self._reactor
        _ = self._sweeping.start(SWEEP_S, now=False)
        collect_rarely()
        self._link.send(("ready",))

    def _posted(self, headers: Mapping[bytes, bytes], body: bytes, peer: Callable[[], Any], reply: Reply) -> None:
        is_mine = b"idempotency-key" not in headers and headers.get(b"x-api-key") in self._names
        (self._door.posted if is_mine else self._forwarded)(headers, body, peer, reply)

    def _forwarded(self, headers: Mapping[bytes, bytes], body: bytes, peer: Callable[[], Any], reply: Reply) -> None:
        _ = self._caller.post(headers, body, str(getattr(peer(), "host", ""))).addCallback(reply)

    def _measure(self, took: Took, seconds: Sequence[float]) -> None:
        self._took += seconds
        if len(self._took) >= 100:
            self._tell()

    def _tell(self) -> None:
        if self._took:
            self._link.send(("took", self._took))
            self._took = []

    def _sweep(self) -> None:
        self._tell()
        self._connections.sweep()
        if self._is_stopping:
            self._stop()

    def _stop(self) -> None:
        """Give back what is idle; the rest follows when it is answered."""
        self._is_stopping = True
        self._connections.give_all_back()
        if self._connections.all or not self._caller.is_idle:
            self._reactor.callLater(0.05, self._stop)
            return
        self._tell()
        self._leave()


async def _unclaimed(api_key: str, key: str, now: float) -> Claimed | None:
    """Nothing: a request with an idempotency key goes to the daemon."""


make = AcceptProcess
