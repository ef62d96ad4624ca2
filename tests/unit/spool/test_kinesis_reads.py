"""How the reads of a shard are spread."""

from itertools import pairwise

import pytest
from twisted.internet.task import Clock

from smsd.spool.kinesis.reads import READS, SPAN_S, Reads
from tests.unit.pipeline.world import most_within


def busy(clock: Clock, count: int) -> list[float]:
    """When ``count`` reads are made by who reads as often as it may."""
    reads, times = Reads(clock.seconds), []
    for _ in range(count):
        while (wait_s := reads.wait_s()) > 0.0:
            clock.advance(wait_s)
        reads.made()
        times.append(clock.seconds())
    return times


def test_no_second_holds_more_reads_than_a_shard_takes():
    times = busy(Clock(), 50)
    assert most_within(times, 1.0) == READS
    assert len([at for at in times if at < 9.0]) >= 8 * READS


def test_who_reads_without_pause_waits_evenly():
    times = busy(Clock(), 30)
    assert max(after - before for before, after in pairwise(times[READS:])) == pytest.approx(SPAN_S / READS)


def test_who_was_idle_need_not_wait_for_the_next_two():
    assert busy(Clock(), 2) == [0.0, 0.0]


def test_after_a_refusal_it_waits():
    reads = Reads(Clock().seconds)
    reads.made()
    reads.refused()
    assert reads.wait_s() == 0.25
