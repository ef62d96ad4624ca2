"""What an engine promises of idempotency keys."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, DeferredList

from smsd.core.claim import Claim, Claimed
from smsd.core.errors import SpoolFull
from smsd.core.lifecycle import State
from tests.messages import ROOM


def claim(now, key="k", api_key="shop", fingerprint="f", hours=1.0):
    return Claim(
        api_key=api_key,
        key=key,
        fingerprint=fingerprint,
        at=now,
        until=now + hours * 3600,
        answer=lambda place: f"ahead {place.first}",
    )


@ensureDeferred
async def test_a_key_is_kept_with_the_first_answer(spool, sms, now):
    await spool.append([sms()], ROOM)
    assert (await spool.append([sms()], ROOM, claim(now))).first == 1
    kept = await spool.claimed("shop", "k", now)
    assert (kept.fingerprint, kept.answer) == ("f", "ahead 1")


@ensureDeferred
async def test_a_key_that_is_taken_keeps_nothing_more(spool, sms, now):
    await spool.append([sms()], ROOM, claim(now))
    with pytest.raises(Claimed) as taken:
        await spool.append([sms()], ROOM, claim(now, fingerprint="other"))
    assert taken.value.fingerprint == "f"
    assert (await spool.standing()).states[State.QUEUED] == 1


@ensureDeferred
async def test_of_many_at_once_with_one_key_one_is_kept(spool, sms, now):
    appends = [Deferred.fromCoroutine(spool.append([sms()], ROOM, claim(now))) for _ in range(20)]
    results = await DeferredList(appends, consumeErrors=True)
    assert [is_done for is_done, _ in results].count(True) == 1
    assert {type(failure.value) for is_done, failure in results if not is_done} == {Claimed}
    assert (await spool.standing()).states[State.QUEUED] == 1


@ensureDeferred
async def test_each_api_key_has_keys_of_its_own(spool, sms, now):
    await spool.append([sms()], ROOM, claim(now))
    await spool.append([sms()], ROOM, claim(now, api_key="other"))
    assert await spool.claimed("nobody", "k", now) is None


@ensureDeferred
async def test_a_key_is_free_again_once_it_has_run_out(spool, sms, now):
    await spool.append([sms()], ROOM, claim(now))
    assert await spool.claimed("shop", "k", now + 3600) is None
    await spool.append([sms()], ROOM, claim(now + 3600, fingerprint="new"))
    assert (await spool.claimed("shop", "k", now + 3600)).fingerprint == "new"


@ensureDeferred
async def test_what_is_refused_takes_no_key(spool, sms, now):
    await spool.append([sms()], ROOM)
    with pytest.raises(SpoolFull):
        await spool.append([sms()], 1, claim(now))
    assert await spool.claimed("shop", "k", now) is None
