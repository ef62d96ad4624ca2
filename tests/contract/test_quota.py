"""What an API key has used of its quotas is counted with what is kept."""

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.address import Msisdn
from smsd.core.lifecycle import State
from smsd.core.quota import Quota, QuotaExceeded
from tests.messages import ROOM

RATE = Quota(name="rate", limit=5, window_s=60)
DAILY = Quota(name="daily", limit=7, window_s=86400)
MANY = tuple(Msisdn(f"3160000000{n}") for n in range(4))


def at(message, moment):
    return attrs.evolve(message, accepted_at=moment, changed_at=moment, not_before=moment)


@ensureDeferred
async def test_recipients_are_charged_until_the_window_ends(spool, sms, now):
    now -= now % 86400
    place = await spool.append([at(sms(recipients=MANY), now)], ROOM, None, [RATE, DAILY])
    assert [(each.quota, each.used) for each in place.usages] == [(RATE, 4), (DAILY, 4)]
    with pytest.raises(QuotaExceeded) as exceeded:
        await spool.append([at(sms(recipients=MANY), now + 10)], ROOM, None, [RATE, DAILY])
    assert (exceeded.value.name, exceeded.value.retry_after_s) == ("daily", 86390)
    assert (await spool.standing()).states[State.QUEUED] == 1
    place = await spool.append([at(sms(), now + 60)], ROOM, None, [RATE, DAILY])
    assert [each.used for each in place.usages] == [1, 5]


@ensureDeferred
async def test_what_was_refused_is_not_charged(spool, sms, now):
    for _ in range(3):
        with pytest.raises(QuotaExceeded):
            await spool.append([sms(recipients=MANY), sms(recipients=MANY)], ROOM, None, [RATE])
    assert (await spool.append([sms()], ROOM, None, [RATE])).usages[0].used == 1


@ensureDeferred
async def test_each_key_has_quotas_of_its_own(spool, sms):
    await spool.append([sms(recipients=MANY, api_key="a")], ROOM, None, [RATE])
    assert (await spool.append([sms(recipients=MANY, api_key="b")], ROOM, None, [RATE])).usages[0].used == 4
    assert (await spool.append([sms(recipients=MANY, api_key="a")], ROOM)).usages == ()
