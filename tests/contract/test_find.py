"""Every message that was accepted can be found."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.errors import UnknownMessage
from smsd.core.message import Category
from smsd.core.settle import begin
from smsd.core.trace import Traceparent
from tests.messages import ROOM


@ensureDeferred
async def test_nobody_knows_a_message_that_was_never_accepted(spool):
    with pytest.raises(UnknownMessage) as unknown:
        await spool.find("01J00000000000000000000000")
    assert unknown.value.id == "01J00000000000000000000000"


@ensureDeferred
async def test_a_message_is_found_as_soon_as_it_is_kept(spool, sms):
    async def keep_and_find(message):
        await spool.append([message], ROOM)
        return await spool.find(message.id)

    messages = [sms() for _ in range(50)]
    found = await gatherResults([Deferred.fromCoroutine(keep_and_find(each)) for each in messages])
    assert found == messages


@ensureDeferred
async def test_a_message_is_kept_with_what_it_is_for(spool, sms):
    message = sms(category=Category.AUTHENTICATION)
    await spool.append([message], ROOM)
    assert (await spool.find(message.id)).category is Category.AUTHENTICATION


@ensureDeferred
async def test_a_message_stays_in_the_trace_that_it_was_accepted_in(spool, sms, now):
    message = sms(trace=Traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    await spool.append([message], ROOM)
    [lease] = await spool.lease(now, 1)
    await spool.store(lease, begin(lease.message, now, "test"))
    assert (await spool.find(message.id)).trace == message.trace
