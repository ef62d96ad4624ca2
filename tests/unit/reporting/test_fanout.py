"""A reporter can be slow, hang or fail, and nobody else notices."""

import threading
from queue import Queue
from typing import Any

import pytest
from twisted.logger import capturedLogs
from zope.interface import implementer
from zope.interface.verify import verifyObject

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.ports import IReporter
from smsd.reporting.fanout import Fanout
from smsd.reporting.guard import TELL_S
from smsd.reporting.outlet import Outlet

#: Seconds, longer than anything here takes on the busiest machine.
LONG_S = 60.0


def notice(n: int = 0) -> Notice:
    return Notice(what=What.FAULT, at=float(n))


@implementer(IReporter)
class Broken:
    def report(self, notice: Notice) -> None:
        raise ZeroDivisionError("with a secret in it")


@implementer(IReporter)
class Notebook:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def report(self, notice: Notice) -> None:
        self.notices.append(notice)


class Hanging:
    """Takes one item and keeps at it until it is let go."""

    def __init__(self) -> None:
        self.taken: Queue[Notice] = Queue()
        self.let_go = threading.Event()

    def take(self, notice: Notice) -> None:
        self.taken.put(notice)
        self.let_go.wait(LONG_S)


class Time:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hanging() -> Any:
    hanging = Hanging()
    yield hanging
    hanging.let_go.set()


def test_every_reporter_gets_every_notice_in_order() -> None:
    direct, queued = Notebook(), Notebook()
    outlet = Outlet("queued", queued.report, monotonic=Time())
    fanout = Fanout(direct={"direct": direct}, queued=[outlet], monotonic=Time())
    verifyObject(IReporter, fanout)
    fanout.report(notice(0))  # before the start: it waits
    fanout.start()
    for n in range(1, 100):
        fanout.report(notice(n))
    fanout.close(LONG_S)
    assert direct.notices == queued.notices == [notice(n) for n in range(100)]
    assert fanout.drops() == {"direct": 0, "queued": 0}


def test_one_that_fails_keeps_nothing_from_the_others_and_its_losses_are_counted() -> None:
    well = Notebook()
    outlets = [Outlet("behind", Broken().report, monotonic=Time()), Outlet("well", well.report, monotonic=Time())]
    fanout = Fanout(direct={"front": Broken()}, queued=outlets, monotonic=Time())
    fanout.start()
    for n in range(3):
        fanout.report(notice(n))
    fanout.close(LONG_S)
    assert well.notices == [notice(n) for n in range(3)]
    assert fanout.drops() == {"front": 3, "behind": 3, "well": 0}


def test_one_that_hangs_delays_nobody_and_what_it_has_no_room_for_is_dropped(hanging: Hanging) -> None:
    well = Notebook()
    outlets = [Outlet("hangs", hanging.take, monotonic=Time(), limit=10), Outlet("well", well.report, monotonic=Time())]
    fanout = Fanout(direct={}, queued=outlets, monotonic=Time())
    fanout.start()
    fanout.report(notice(0))
    assert hanging.taken.get(timeout=LONG_S) == notice(0)
    for n in range(1, 101):
        fanout.report(notice(n))  # this test ends, so none of them waits
    assert fanout.drops() == {"hangs": 90, "well": 0}
    hanging.let_go.set()
    fanout.close(LONG_S)
    assert len(well.notices) == 101
    assert hanging.taken.qsize() == 10


def test_losses_are_told_once_a_minute_without_the_words_of_the_error() -> None:
    time = Time()
    fanout = Fanout(direct={"front": Broken()}, queued=[], monotonic=time)
    with capturedLogs() as logged:
        for time.now in (0.0, 1.0, TELL_S - 1, TELL_S, TELL_S + 1):
            fanout.report(notice())
    assert [(each["reporter"], each["drops"], each["why"]) for each in logged] == [
        ("front", 1, "ZeroDivisionError"),
        ("front", 4, "ZeroDivisionError"),
    ]
    assert not any("log_failure" in each for each in logged)


def test_the_end_waits_no_longer_than_it_was_told_for_one_that_hangs(hanging: Hanging) -> None:
    closed: list[float] = []
    outlet = Outlet("hangs", hanging.take, monotonic=Time(), close=closed.append)
    fanout = Fanout(direct={}, queued=[outlet], monotonic=Time())
    fanout.start()
    for n in range(3):
        fanout.report(notice(n))
    hanging.taken.get(timeout=LONG_S)
    fanout.close(0.01)  # that it comes back is the test
    assert closed == []
    assert fanout.drops() == {"hangs": 2}


def test_once_the_time_is_over_nothing_more_is_passed_on(hanging: Hanging) -> None:
    time, closed = Time(), Queue[float]()
    outlet = Outlet("slow", hanging.take, monotonic=time, close=closed.put)
    outlet.start()
    for n in range(3):
        outlet.put(notice(n))
    hanging.taken.get(timeout=LONG_S)
    outlet.begin_close(5.0)
    time.now = 5.0
    hanging.let_go.set()
    assert closed.get(timeout=LONG_S) == 0.0
    outlet.finish_close()
    assert hanging.taken.empty()
    assert outlet.guard.drops == 2


def test_what_comes_after_the_end_is_dropped() -> None:
    late = Notebook()
    fanout = Fanout(direct={}, queued=[Outlet("late", late.report, monotonic=Time())], monotonic=Time())
    fanout.start()
    fanout.close(LONG_S)
    fanout.report(notice())
    assert late.notices == []
    assert fanout.drops() == {"late": 1}


def test_an_outlet_that_is_full_is_emptied_at_the_end_and_then_closed(hanging: Hanging) -> None:
    closed: list[float] = []
    outlet = Outlet("slow", hanging.take, monotonic=Time(), limit=2, close=closed.append)
    fanout = Fanout(direct={}, queued=[outlet], monotonic=Time())
    fanout.start()
    fanout.report(notice(0))
    hanging.taken.get(timeout=LONG_S)
    fanout.report(notice(1))
    fanout.report(notice(2))
    outlet.begin_close(LONG_S)
    fanout.report(notice(3))
    hanging.let_go.set()
    outlet.finish_close()
    assert hanging.taken.qsize() == 2
    assert closed == [LONG_S]  # what is left of the time
    assert fanout.drops() == {"slow": 1}


def test_a_fanout_that_was_never_started_can_be_closed() -> None:
    outlet = Outlet("unused", Notebook().report, monotonic=Time())
    fanout = Fanout(direct={}, queued=[outlet], monotonic=Time())
    fanout.report(notice())
    fanout.close()
    assert fanout.drops() == {"unused": 1}
