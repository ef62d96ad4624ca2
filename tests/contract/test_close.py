"""A closed engine has finished what was begun and takes nothing more."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.errors import SpoolUnavailable
from tests.messages import ROOM


@ensureDeferred
async def test_what_was_begun_is_finished(spool, sms):
    begun = [Deferred.fromCoroutine(spool.append([sms()], ROOM)) for _ in range(50)]
    await spool.close()
    assert [call.called for call in begun] == [True] * 50
    assert [place.first for place in await gatherResults(begun)] == list(range(50))


@ensureDeferred
async def test_everything_is_unavailable_once_closed(spool, sms, now):
    message = sms()
    await spool.append([message], ROOM)
    [lease] = await spool.lease(now, 1)
    await spool.close()
    for call in (
        spool.append([sms()], ROOM),
        spool.lease(now, 1),
        spool.store(lease, message),
        spool.release(lease),
        spool.standing(),
        spool.find(message.id),
    ):
        with pytest.raises(SpoolUnavailable, match="closed"):
            await call


@ensureDeferred
async def test_to_close_twice_does_no_harm(spool):
    await spool.close()
    await spool.close()
