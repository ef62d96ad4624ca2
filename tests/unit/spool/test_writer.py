"""The writer's thread answers every job, also when the work breaks."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet.defer import DeferredList, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from smsd.core.errors import SpoolUnavailable
from smsd.spool.writer import GROUP, Job, Writer


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


class Work:
    """Is busy with the first job of each group until it is let go, and remembers how many were in each."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.steps = threading.Semaphore(0)
        self.sizes: list[int] = []

    def __call__(self, jobs) -> Iterator[list[str]]:
        self.sizes.append(len(jobs))
        self.begun.set()
        self._wait()
        yield [f"first of group {len(self.sizes)}"]
        if len(jobs) > 1:
            self._wait()
            yield ["a later one"] * (len(jobs) - 1)

    def _wait(self) -> None:
        if not self.steps.acquire(timeout=10):
            raise RuntimeError("a fault of ours")


@pytest.fixture
def work() -> Work:
    return Work()


@async_yield_fixture
async def writer(reactor, work):
    """A writer that is busy with its first job."""
    writer = Writer(work, reactor=reactor, name="test-writer")
    writer.start()
    done = writer.submit(Job())
    assert await deferToThread(work.begun.wait, 10)
    yield writer
    await done
    await writer.stop()


@ensureDeferred
async def test_what_comes_during_a_commit_is_in_the_next_group(writer, work):
    done = [writer.submit(Job()) for _ in range(3)]
    work.steps.release(3)
    assert await gatherResults(done) == ["first of group 2", "a later one", "a later one"]
    assert work.sizes == [1, 3]


@ensureDeferred
async def test_a_group_does_not_grow_without_end(writer, work):
    done = [writer.submit(Job()) for _ in range(GROUP + 1)]
    work.steps.release(4)
    await gatherResults(done)
    assert work.sizes == [1, GROUP, 1]


@ensureDeferred
async def test_what_is_committed_does_not_wait_for_the_rest(writer, work):
    first, second = writer.submit(Job()), writer.submit(Job())
    work.steps.release(2)
    assert await first == "first of group 2"
    assert not second.called
    work.steps.release()
    assert await second == "a later one"


@ensureDeferred
async def test_an_answer_for_somebody_who_has_left_is_dropped(writer, work):
    gone, still_there = writer.submit(Job()), writer.submit(Job())
    gone.addErrback(lambda failure: None)
    gone.cancel()
    work.steps.release(3)
    assert await still_there == "a later one"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@ensureDeferred
async def test_nobody_waits_forever_for_a_writer_that_broke(reactor):
    go = threading.Event()

    def work(jobs):
        assert go.wait(10)
        yield ["fine"]
        raise RuntimeError("a fault of ours")

    writer = Writer(work, reactor=reactor, name="test-writer")
    writer.start()
    fine, *broken = [writer.submit(Job()) for _ in range(4)]
    go.set()
    assert await fine == "fine"
    results = await DeferredList(broken, consumeErrors=True)
    assert [failure.type for _, failure in results] == [SpoolUnavailable] * 3
    await deferLater(reactor, 0)
    with pytest.raises(SpoolUnavailable):
        await writer.submit(Job())
    await writer.stop()
