"""API keys take turns, what waits long rises, and the place in line says when."""

from pytest_twisted import ensureDeferred

from smsd.core.message import Priority
from smsd.core.settle import begin
from tests.messages import ROOM


async def leased(spool, now, limit):
    return [lease.message for lease in await spool.lease(now, limit)]


@ensureDeferred
async def test_a_campaign_of_one_key_does_not_make_another_wait_for_all_of_it(spool, sms, now):
    campaign = [sms(api_key="shop") for _ in range(50)]
    await spool.append(campaign, ROOM)
    login = [sms(api_key="bank"), sms(api_key="bank")]
    await spool.append(login, ROOM)
    first = [each for _ in range(3) for each in await leased(spool, now, 2)]
    assert [each.api_key for each in first] == ["bank", "shop", "bank", "shop", "shop", "shop"]
    assert [each for each in first if each.api_key == "bank"] == login


@ensureDeferred
async def test_keys_take_turns_across_leases_each_with_its_oldest(spool, sms, now):
    by_key = {key: [sms(api_key=key) for _ in range(4)] for key in "abc"}
    for messages in by_key.values():
        await spool.append(messages, ROOM)
    line = [each for _ in range(12) for each in await leased(spool, now, 1)]
    assert [each.api_key for each in line] == list("abc" * 4)
    assert [each for each in line if each.api_key == "b"] == by_key["b"]


@ensureDeferred
async def test_turns_are_taken_within_a_priority_only(spool, sms, now):
    await spool.append([sms(api_key="a", priority=Priority.HIGH) for _ in range(3)], ROOM)
    await spool.append([sms(api_key="b") for _ in range(3)], ROOM)
    assert [each.api_key for each in await leased(spool, now, 6)] == list("aaabbb")


@ensureDeferred
async def test_what_has_waited_long_gets_every_tenth_turn(spool, sms, now):
    low = [sms(priority=Priority.LOW) for _ in range(3)]
    await spool.append(low, ROOM)
    later = now + 601
    await spool.append(
        [sms(priority=Priority.HIGH, changed_at=later, not_before=later, accepted_at=later) for _ in range(40)], ROOM
    )
    line = [each for _ in range(30) for each in await leased(spool, later, 1)]
    assert [line.index(each) for each in low] == [9, 19, 29]


@ensureDeferred
async def test_before_it_has_waited_long_it_gets_none(spool, sms, now):
    await spool.append([sms(priority=Priority.LOW)], ROOM)
    await spool.append([sms(priority=Priority.HIGH) for _ in range(20)], ROOM)
    assert {each.priority for each in await leased(spool, now + 599, 20)} == {Priority.HIGH}


@ensureDeferred
async def test_the_place_counts_a_turn_of_each_other_key_before_each_of_ours(spool, sms, now):
    await spool.append([sms(api_key="shop") for _ in range(30)], ROOM)
    await spool.append([sms(api_key="bank", priority=Priority.HIGH)], ROOM)
    place = await spool.append([sms(api_key="bank"), sms(api_key="bank")], ROOM)
    assert (place.first, place.last) == (1, 3)
    others = await spool.append([sms(api_key="yard"), sms(api_key="yard")], ROOM)
    assert (others.first, others.last) == (3, 6)


@ensureDeferred
async def test_whose_turn_was_last_has_his_next_after_the_others(spool, sms, now):
    await spool.append([sms(api_key=key) for key in ("bank", "bank", "shop", "yard", "yard")], ROOM)
    for lease in await spool.lease(now, 2):
        await spool.store(lease, begin(lease.message, now, "test"))
    bank, shop = sms(api_key="bank"), sms(api_key="shop")
    assert (await spool.append([bank], ROOM)).first == 3  # yard, bank, yard
    assert (await spool.append([shop], ROOM)).first == 2  # yard, bank
    assert [(await spool.ahead(each.id)).first for each in (bank, shop)] == [4, 2]  # yard, bank, shop, yard


@ensureDeferred
async def test_the_last_of_several_is_the_one_of_the_least_priority(spool, sms, now):
    await spool.append([sms() for _ in range(5)], ROOM)
    place = await spool.append([sms(priority=Priority.LOW), sms(priority=Priority.HIGH)], ROOM)
    assert (place.first, place.last) == (5, 6)


@ensureDeferred
async def test_who_waits_is_told_how_many_are_ahead_and_the_others_nothing(spool, sms, now):
    messages = [sms() for _ in range(3)]
    later = sms(not_before=now + 60)
    await spool.append([*messages, later], ROOM)
    assert [(await spool.ahead(each.id)).first for each in messages] == [0, 1, 2]
    of_later = await spool.ahead(later.id)
    assert (of_later.first, of_later.then) == (3, 0)  # now, and at its time


@ensureDeferred
async def test_what_is_on_its_way_out_goes_before_whoever_overtakes_the_rest(spool, sms, now):
    await spool.append([sms(api_key="shop") for _ in range(30)], ROOM)
    window = await spool.lease(now, 10)
    urgent = sms(api_key="bank", priority=Priority.HIGH)
    place = await spool.append([urgent], ROOM)
    assert (place.first, place.last, (await spool.ahead(urgent.id)).first) == (10, 10, 10)
    of_another = await spool.append([sms(api_key="bank"), sms(api_key="bank")], ROOM)
    assert (of_another.first, of_another.last) == (11, 13)  # after the window and the urgent one, and a turn of shop
    assert [(await spool.ahead(lease.message.id)).first for lease in window] == list(range(10))
    for lease in window[:4]:
        await spool.store(lease, begin(lease.message, now, "test"))
    await spool.release(window[4])
    assert (await spool.ahead(urgent.id)).first == 5
    assert (await spool.ahead(window[4].message.id)).first == 7  # a turn of bank as well
    assert (await spool.ahead(window[5].message.id)).first == 0


@ensureDeferred
async def test_what_is_scheduled_together_is_counted_by_the_turns_that_it_will_have(spool, sms, now):
    at = {"not_before": now + 60}
    assert (await spool.append([sms(**at) for _ in range(20)], ROOM)).then == 19
    one, of_another, urgent = sms(**at), sms(**at, api_key="bank"), sms(**at, priority=Priority.HIGH)
    places = [await spool.append([each], ROOM) for each in (one, of_another, urgent)]
    assert [place.then for place in places] == [20, 0, 0]
    assert [(await spool.ahead(each.id)).then for each in (one, of_another, urgent)] == [22, 1, 0]
    assert [(await spool.ahead(each.id)).first for each in (one, of_another, urgent)] == [0, 0, 0]
    apart = [sms(not_before=now + 60 + seconds) for seconds in (-1, 2)]
    assert [(await spool.append([each], ROOM)).then for each in apart] == [0, 0]
    assert (await spool.append([sms()], ROOM)).then == 0
    answers = await spool.append_each([[sms(**at)], [sms(**at)]], ROOM)
    assert [answer.then for answer in answers] == [23, 24]
