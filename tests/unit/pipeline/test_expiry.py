"""What waits past its validity ends when that ends, wherever in line it stands."""

from collections.abc import Sequence

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from smsd.core.errors import SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import What
from smsd.core.settle import begin
from smsd.pipeline.expiry import POLL_S, STEP, STEPS, Expiry
from smsd.spool.memory import MemorySpool
from tests.messages import NOW, ROOM, sms
from tests.unit.pipeline.world import Notebook


class Watched:
    """An expiry over a spool, and its clock."""

    def __init__(self, spool: MemorySpool) -> None:
        self.spool, self.clock, self.notebook = spool, Clock(), Notebook()
        now = lambda: NOW + self.clock.seconds()  # noqa: E731
        self.expiry = Expiry(ledger=spool, clock=self.clock, now=now, reporter=self.notebook)
        self.expiry.start()

    async def states(self, *ids: str) -> list[State]:
        return [(await self.spool.find(id)).state for id in ids]


@pytest.fixture
def watched() -> Watched:
    spool = MemorySpool(limit=9999, remembered=9999)
    spool.open()
    return Watched(spool)


@ensureDeferred
async def test_it_ends_behind_a_long_line_and_in_time(watched: Watched) -> None:
    first, last = sms(), sms(valid_until=NOW + 2)
    await watched.spool.append([first, last], ROOM)
    watched.clock.advance(POLL_S)
    assert await watched.states(first.id, last.id) == [State.QUEUED, State.QUEUED]
    watched.clock.advance(POLL_S)
    assert await watched.states(first.id, last.id) == [State.QUEUED, State.EXPIRED]
    assert [notice.what for notice in watched.notebook.notices] == [What.EXPIRED]
    await watched.expiry.stop()


@ensureDeferred
async def test_it_ends_while_it_is_held_and_while_it_is_scheduled(watched: Watched) -> None:
    held, later = sms(valid_until=NOW + 1), sms(not_before=NOW + 9, valid_until=NOW + 1)
    await watched.spool.append([held, later], ROOM)
    await watched.spool.lease(NOW, 0)
    await watched.spool.hold(NOW + 1, 9)
    watched.clock.advance(POLL_S)
    assert await watched.states(held.id, later.id) == [State.EXPIRED, State.EXPIRED]
    await watched.expiry.stop()


@ensureDeferred
async def test_a_campaign_ends_in_few_looks(watched: Watched) -> None:
    many = [sms(valid_until=NOW + 1) for _ in range(STEP * STEPS + 1)]
    await watched.spool.append(many, ROOM)
    watched.clock.advance(POLL_S)
    assert (await watched.states(*[each.id for each in many])).count(State.EXPIRED) == STEP * STEPS
    watched.clock.advance(POLL_S)
    assert State.QUEUED not in await watched.states(*[each.id for each in many])
    await watched.expiry.stop()


class Busy(MemorySpool):
    """A message is sent between the look and the step; then the spool is gone for a while."""

    is_gone = False

    async def overdue(self, now: float, limit: int) -> Sequence[str]:
        if self.is_gone:
            raise SpoolUnavailable(reason="gone")
        ids = await super().overdue(now, limit)
        for id in ids[:1]:
            await self.amend(id, lambda each: begin(each, now, "test"))
        return ids


@ensureDeferred
async def test_what_is_being_sent_by_then_is_left_alone_and_trouble_passes() -> None:
    spool = Busy(limit=9999, remembered=9999)
    spool.open()
    watched = Watched(spool)
    sent, waits = sms(valid_until=NOW + 1), sms(valid_until=NOW + 1)
    await spool.append([sent, waits], ROOM)
    spool.is_gone = True
    watched.clock.advance(POLL_S)
    assert "gone" in watched.expiry.trouble
    spool.is_gone = False
    watched.clock.advance(POLL_S)
    assert watched.expiry.trouble == ""
    assert await watched.states(sent.id, waits.id) == [State.SENDING, State.EXPIRED]
    await watched.expiry.stop()
