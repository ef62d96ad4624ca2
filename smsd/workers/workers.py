"""Starts accept processes when many requests come in, shares the connections out to them, and ends them when few do."""

from collections import deque
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smsd.workers.worker import Hire, Worker

#: So many simple requests within so many seconds, and it is time for accept processes.
BUSY: Final = 100
BUSY_S: Final = 0.5
#: Seconds between two looks at whether they have anything to do, and looks without any after which they go.
LOOK_S: Final = 15.0
LOOKS: Final = 4
#: Seconds after which one that died is replaced.
AGAIN_S: Final = 1.0


class Workers:
    """All accept processes of a daemon."""

    _log = Logger()

    def __init__(self, *, number: int, hire: Hire, clock: IReactorTime) -> None:
        """At most ``number`` of them, each made by ``hire``."""
        self._number = number
        self._hire = hire
        self._clock = clock
        self._workers: deque[Worker] = deque()
        self._since = 0.0
        self._posts = 0
        self._is_wanted = False
        self._is_stopping = False
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._calls = 0
        self._idle_looks = 0

    def pass_on(self, transport: Any, data: bytes) -> bool:
        """Offer a connection with a simple request, ``data``, that was read from it; see Handover.give."""
        if self._workers:
            for _ in range(len(self._workers)):
                self._workers.rotate(-1)
                if self._workers[0].give(transport, data):
                    return True
        if self._number and not self._is_wanted:
            self._count()
        return False

    async def stop(self) -> None:
        """End all of them, once what is under way is answered."""
        self._is_stopping = True
        self._dismiss()
        leaving = list(self._workers)
        if not leaving:
            return
        everyone: Deferred[Any] = DeferredList([each.ended for each in leaving])
        await everyone

    def _count(self) -> None:
        now = self._clock.seconds()
        if now - self._since >= BUSY_S:
            self._since, self._posts = now, 0
        self._posts += 1
        if self._posts >= BUSY and not self._is_stopping:
            self._is_wanted = True
            self._log.info("starting {number} accept processes", number=self._number)
            self._fill()
            if not self._looking.running:
                _ = self._looking.start(LOOK_S, now=False)

    def _fill(self) -> None:
        while self._is_wanted and len(self._workers) < self._number:
            try:
                worker = self._hire()
                worker.start()
            except OSError as error:  # no descriptor is left: the daemon accepts alone meanwhile
                self._log.warn("no accept process can be started: {why}", why=error.strerror)
                self._clock.callLater(AGAIN_S, self._fill)
                return
            self._workers.append(worker)
            _ = worker.ended.addCallback(self._gone, worker)

    def _gone(self, _: None, worker: Worker) -> None:
        self._workers.remove(worker)
        self._calls -= worker.calls
        if self._is_wanted:
            self._clock.callLater(AGAIN_S, self._fill)

    def _look(self) -> None:
        calls = sum(worker.calls for worker in self._workers)
        self._idle_looks = self._idle_looks + 1 if calls == self._calls else 0
        self._calls = calls
        if self._idle_looks >= LOOKS:
            self._log.info("ending the accept processes: nothing comes in")
            self._dismiss()

    def _dismiss(self) -> None:
        self._is_wanted = False
        self._idle_looks = 0
        if self._looking.running:
            self._looking.stop()
        for worker in self._workers:
            worker.stop()
