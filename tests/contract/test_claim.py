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


@ensureDeferred
async def test_keys_that_stand_for_something_are_told_page_by_page_and_can_be_kept_elsewhere(spool, sms, now):
    for api_key, key, hours in (("b", "1", 1.0), ("a", "2", 1.0), ("a", "1", 1.0), ("a", "0", 0.1)):
        await spool.append([sms()], ROOM, claim(now, key=key, api_key=api_key, hours=hours))
    later = now + 1800
    first = await spool.claims(later, ("", ""), 2)
    assert [(each.api_key, each.key) for each in first] == [("a", "1"), ("a", "2")]
    [last] = await spool.claims(later, ("a", "2"), 2)
    assert (last.api_key, last.key, last.until) == ("b", "1", now + 3600)
    assert await spool.claims(now + 3600, ("", ""), 9) == []
    with pytest.raises(Claimed):
        await spool.append([], ROOM, last)
    assert (await spool.claimed("b", "1", later)).answer.startswith("ahead")


@ensureDeferred
async def test_a_key_can_be_kept_without_a_message(spool, now):
    await spool.append([], ROOM, claim(now))
    assert (await spool.claimed("shop", "k", now)).fingerprint == "f"
