"""What ended long ago is forgotten as fast as it can be sent."""

import attrs
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.pipeline.upkeep import POLL_S, Upkeep
from smsd.spool.memory import MemorySpool
from tests.messages import NOW, ROOM, sms

#: The most requests a second that smsd makes, each a message.
FASTEST = 500


@ensureDeferred
async def test_forgetting_keeps_up_with_the_fastest_pace() -> None:
    spool, clock = MemorySpool(limit=9999, remembered=9999), Clock()
    spool.open()
    messages = [sms() for _ in range(int(FASTEST * POLL_S) + 1000)]
    await spool.append(messages, ROOM)
    for each in messages:
        await spool.amend(each.id, lambda each: attrs.evolve(each, state=State.SENT, changed_at=NOW))
    upkeep = Upkeep(ledger=spool, keep_s=60.0, clock=clock, now=lambda: NOW + 61.0)
    upkeep.start()
    left = len((await spool.search(Query(limit=9999))).messages)
    await upkeep.stop()
    assert 0 < left <= 1000  # the rest with the next beat: nobody is held up for long
