"""Carries out what waits in groups, on one thread: a group costs one commit, however many wait."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from smsd.core.errors import SpoolUnavailable
from smsd.core.notice import Measure, Took, unmeasured

T = TypeVar("T")

#: Weight after which a group is closed, so that nobody waits long for the commit of others.
GROUP: Final = 4096


@attrs.frozen(kw_only=True, eq=False)
class Job(Generic[T]):
    """Something to do on the writer's thread."""

    #: Fires on the reactor's thread with the answer. If the caller has cancelled it, it ignores the answer.
    done: Deferred[T] = attrs.field(factory=Deferred)

    @property
    def weight(self) -> int:
        """How many rows it writes, about."""
        return 1


#: For each of some jobs, in order: its result, or the exception it failed with.
Answers = Sequence[Any]


class IWriterReactor(IReactorFromThreads, IReactorTime):
    """What the writer needs of a reactor."""


class Writer:
    """A thread and the queue before it; its methods are for the reactor's thread."""

    def __init__(
        self,
        work: Callable[[Sequence[Job[Any]]], Iterator[Answers]],
        *,
        reactor: IWriterReactor,
        name: str,
        measure: Measure = unmeasured,
    ) -> None:
        """``work`` is called on the thread called ``name``; what it yields is answered at once."""
        self._work = work
        self._reactor = reactor
        self._measure = measure
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._queue: SimpleQueue[list[Job[Any]]] = SimpleQueue()  # an empty list is the end
        self._batch: list[Job[Any]] = []
        self._unanswered: deque[Job[Any]] = deque()
        self._is_open = False
        self._ended: Deferred[None] = Deferred()

    def start(self) -> None:
        """Begin to take jobs."""
        self._is_open = True
        self._thread.start()

    def submit(self, job: Job[T]) -> Deferred[T]:
        """Have ``job`` done after those before it. Raises SpoolUnavailable once it is stopped."""
        if not self._is_open:
            raise SpoolUnavailable(reason="it is closed")
        # What is submitted within one turn of the reactor goes over at once: each handing over wakes the thread, and
        # a group of one costs as much as a group of many.
        if not self._batch:
            self._reactor.callLater(0, self._hand_over)
        self._batch.append(job)
        return job.done

    async def stop(self) -> None:
        """Take no more jobs; returns when the last one is answered and the thread is gone."""
        self._is_open = False
        self._hand_over()
        self._queue.put([])
        await self._ended
        self._thread.join()

    def _hand_over(self) -> None:
        self._unanswered.extend(self._batch)
        weights = accumulate(job.weight for job in self._batch)
        for _, part in groupby(zip(self._batch, weights, strict=True), lambda each: (each[1] - 1) // GROUP):
            self._queue.put([job for job, _ in part])
        self._batch = []

    # On the thread.
    def _run(self) -> None:
        try:
            while jobs := self._gather():
                began = self._reactor.seconds()
                for answers in self._work(jobs):
                    now = self._reactor.seconds()
                    self._reactor.callFromThread(self._answer, answers, now - began)
                    began = now
        finally:
            self._reactor.callFromThread(self._end)

    def _gather(self) -> list[Job[Any]]:
        jobs: list[Job[Any]] = []
        weight = 0
        batch = self._queue.get()
        while batch:
            jobs += batch
            weight += sum(job.weight for job in batch)
            if weight >= GROUP:
                return jobs
            try:
                batch = self._queue.get_nowait()
            except Empty:
                return jobs
        if jobs:
            self._queue.put([])  # the end is for the next time
        return jobs

    # On the reactor's thread again.
    def _answer(self, answers: Answers, took_s: float) -> None:
        self._measure(Took.COMMIT, [took_s])
        for answer in answers:
            done = self._unanswered.popleft().done
            if isinstance(answer, Exception):
                done.errback(answer)
            else:
                done.callback(answer)

    def _end(self) -> None:
        self._is_open = False
        # Only if the work broke: nobody should wait forever for an answer that cannot come.
        while self._unanswered:
            self._unanswered.popleft().done.errback(SpoolUnavailable(reason="its writer has stopped"))
        self._ended.callback(None)
