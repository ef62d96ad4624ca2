"""What goes on in the background outlives its faults, and says what they were."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs

from smsd.core.errors import SpoolUnavailable
from smsd.pipeline.loop import Loop

EVERY_S = 2.0


def test_it_goes_on_after_a_fault_and_logs_all_but_what_is_ignored() -> None:
    clock = Clock()
    troubles: list[Exception] = [
        SpoolUnavailable(reason="for now"),
        ValueError("ours"),
        SpoolUnavailable(reason="again"),
    ]
    begun: list[float] = []

    async def step() -> None:
        begun.append(clock.seconds())
        if troubles:
            raise troubles.pop(0)

    loop = Loop(step, name="the step", ignored=SpoolUnavailable, log=Logger(), clock=clock)
    with capturedLogs() as logged:
        loop.start(EVERY_S)
        told = [loop.trouble]
        for _ in range(3):
            clock.advance(EVERY_S)
            told.append(loop.trouble)
    assert ["for now" in told[0], told[1], "again" in told[2], told[3]] == [True, "", True, ""]
    assert begun == [0.0, 2.0, 4.0, 6.0]
    assert [event["log_format"] for event in logged] == ["the step broke"]


def test_stopping_waits_for_the_step_under_way_and_breaking_off_does_not() -> None:
    def stuck() -> tuple[Loop, Deferred[None]]:
        under_way: Deferred[None] = Deferred()

        async def step() -> None:
            await under_way

        loop = Loop(step, name="the step", ignored=CancelledError, log=Logger(), clock=Clock())
        loop.start(EVERY_S)
        return loop, under_way

    with capturedLogs() as logged:
        loop, under_way = stuck()
        stopping = Deferred.fromCoroutine(loop.stop())
        assert not stopping.called
        under_way.callback(None)
        assert stopping.called

        loop, under_way = stuck()
        assert Deferred.fromCoroutine(loop.break_off()).called
    assert logged == []


def test_what_never_started_stops_at_once() -> None:
    async def step() -> None:
        raise AssertionError

    loop = Loop(step, name="the step", ignored=CancelledError, log=Logger(), clock=Clock())
    assert Deferred.fromCoroutine(loop.stop()).called
    assert Deferred.fromCoroutine(loop.break_off()).called
