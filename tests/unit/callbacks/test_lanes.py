from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from smsd.callbacks.lanes import Lanes


class Jobs:
    """Jobs that run until they are told to end."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.begun: list[str] = []
        self.open: list[tuple[str, Deferred[str]]] = []

    def start(self, host: str, name: str = "") -> "Deferred[str]":
        def job() -> Deferred[str]:
            self.begun.append(name or host)
            self.open.append((host, Deferred()))
            return self.open[-1][1]

        return ensureDeferred(self.lanes.run(host, job))

    def end(self, index: int = 0) -> None:
        self.open.pop(index)[1].callback("done")


def test_a_job_starts_at_once_while_there_is_room_and_its_answer_comes_back() -> None:
    jobs = Jobs(Lanes(total=2, per_host=1))
    running = jobs.start("a")
    assert jobs.begun == ["a"]
    jobs.end()
    assert running.result == "done"  # type: ignore[attr-defined]
    assert jobs.lanes.running == 0


def test_a_host_gets_no_more_than_its_share_and_the_others_go_past_it() -> None:
    jobs = Jobs(Lanes(total=4, per_host=2))
    for host in ["slow"] * 5 + ["b", "c"]:
        jobs.start(host)
    assert jobs.begun == ["slow", "slow", "b", "c"]
    assert (jobs.lanes.running, jobs.lanes.waiting) == (4, 3)


def test_no_more_than_the_total_run() -> None:
    jobs = Jobs(Lanes(total=2, per_host=2))
    for host in "abc":
        jobs.start(host)
    assert jobs.begun == ["a", "b"]
    jobs.end()
    assert jobs.begun == ["a", "b", "c"]


def test_within_a_host_the_order_of_coming_holds() -> None:
    jobs = Jobs(Lanes(total=1, per_host=1))
    for name in "1234":
        jobs.start("a", name)
    for _ in range(3):
        jobs.end()
    assert jobs.begun == ["1", "2", "3", "4"]


def test_the_hosts_take_turns_however_many_one_of_them_has_waiting() -> None:
    jobs = Jobs(Lanes(total=1, per_host=1))
    for host in "aaaabbc":
        jobs.start(host)
    for _ in range(6):
        jobs.end()
    assert "".join(jobs.begun) == "aabcaba"


def test_a_job_that_fails_gives_its_lane_back() -> None:
    jobs = Jobs(Lanes(total=1, per_host=1))
    failing, next_one = jobs.start("a"), jobs.start("a")
    jobs.open.pop(0)[1].errback(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        failing.result.raiseException()  # type: ignore[attr-defined]
    failing.addErrback(lambda failure: None)
    jobs.end()
    assert next_one.result == "done"  # type: ignore[attr-defined]


def test_it_is_told_which_hosts_have_no_room() -> None:
    jobs = Jobs(Lanes(total=3, per_host=2))
    for host in "aab":
        jobs.start(host)
    assert jobs.lanes.full_hosts == {"a"}
    assert not jobs.lanes.has_room("c")  # the total
    jobs.end(2)
    assert jobs.lanes.has_room("c")
    assert jobs.lanes.has_room("b")
    assert not jobs.lanes.has_room("a")


def test_who_waits_is_turned_away_when_the_lanes_close_and_what_runs_goes_on() -> None:
    jobs = Jobs(Lanes(total=1, per_host=1))
    running, *waiting = (jobs.start(host) for host in "aabb")
    jobs.lanes.close()
    for each in waiting:
        with pytest.raises(CancelledError):
            each.result.raiseException()  # type: ignore[attr-defined]
        each.addErrback(lambda failure: None)
    assert jobs.lanes.waiting == 0
    jobs.end()
    assert running.result == "done"  # type: ignore[attr-defined]
    assert jobs.begun == ["a"]


def test_any_number_of_jobs_that_end_at_once_may_wait() -> None:
    lanes, gate = Lanes(total=1, per_host=1), Deferred[None]()

    async def nothing() -> str:
        return "done"

    ensureDeferred(lanes.run("a", lambda: gate))
    waiting = [ensureDeferred(lanes.run("a", nothing)) for _ in range(2000)]
    gate.callback(None)
    assert all(each.result == "done" for each in waiting)  # type: ignore[attr-defined]


@given(
    total=st.integers(1, 4),
    per_host=st.integers(1, 4),
    steps=st.lists(st.one_of(st.sampled_from("abcd"), st.integers(0, 9)), max_size=60),
)
def test_no_lane_is_ever_too_much_or_left_unused(total: int, per_host: int, steps: list[str | int]) -> None:
    jobs, started = Jobs(Lanes(total=total, per_host=per_host)), Counter[str]()
    for step in steps:
        if isinstance(step, str):
            jobs.start(step)
            started[step] += 1
        elif jobs.open:
            jobs.end(step % len(jobs.open))
        running = Counter(host for host, _ in jobs.open)
        assert jobs.lanes.running == running.total() <= total
        assert all(count <= per_host for count in running.values())
        waiting = started - Counter(jobs.begun)
        assert jobs.lanes.waiting == waiting.total()
        assert running.total() == total or all(running[host] == per_host for host in waiting)
    while jobs.open:
        jobs.end()
    assert Counter(jobs.begun) == started
    assert jobs.lanes._running == {}
    assert jobs.lanes._waiting == {}
