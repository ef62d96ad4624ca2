"""What a ledger answers when it is asked for many messages."""

import attrs
import pytest
from pytest_twisted import ensureDeferred

from smsd.core.address import Msisdn, Originator
from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.core.settle import cancel
from tests.messages import ROOM, message

BOB = Msisdn("31600000002")
SOME = [
    message("a", accepted_at=10.0, reference="order 1", api_key="shop"),
    message("b", accepted_at=20.0, recipients=(BOB,), originator=Originator("Shop")),
    message("c", accepted_at=30.0, recipients=(Msisdn("31600000001"), BOB), api_key="shop"),
    message("d", accepted_at=40.0),
]


async def ids(spool, **wanted):
    return [each.id for each in (await spool.search(Query(**wanted))).messages]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "dcba"),
        ({"state": State.CANCELED}, "d"),
        ({"state": State.QUEUED}, "cba"),
        ({"recipient": BOB}, "cb"),
        ({"recipient": Msisdn("31633450007")}, "da"),
        ({"originator": "Shop"}, "b"),
        ({"reference": "order 1"}, "a"),
        ({"api_key": "shop"}, "ca"),
        ({"api_key": "demo", "until": 40.0}, "b"),
        ({"api_key": "demo", "state": State.CANCELED}, "d"),
        ({"api_key": "shop", "state": State.CANCELED}, ""),
        ({"originator": "Shop", "state": State.QUEUED}, "b"),
        ({"originator": "Shop", "state": State.CANCELED}, ""),
        ({"since": 20.0}, "dcb"),
        ({"until": 20.0}, "a"),
        ({"since": 20.0, "until": 40.0}, "cb"),
        ({"since": 99.0}, ""),
        ({"until": 1.0}, ""),
        ({"api_key": "shop", "recipient": BOB, "since": 1.0, "state": State.QUEUED}, "c"),
    ],
)
@ensureDeferred
async def test_a_query_narrows_down_and_the_newest_comes_first(spool, wanted, found):
    await spool.append(SOME, ROOM)
    await spool.amend("d", lambda stored: cancel(stored, 50.0))
    assert await ids(spool, **wanted) == list(found)


@ensureDeferred
async def test_pages_follow_one_another_without_gap_or_overlap(spool):
    await spool.append(SOME, ROOM)
    first = await spool.search(Query(limit=2))
    await spool.append([message("e", accepted_at=50.0)], ROOM)
    second = await spool.search(Query(limit=2, before=first.before))
    assert [each.id for each in (*first.messages, *second.messages)] == ["d", "c", "b", "a"]
    assert second.before is None


@ensureDeferred
async def test_a_listing_ends_where_no_page_follows_and_not_with_a_page_that_is_short(spool):
    await spool.append(SOME, ROOM)
    query, found = Query(originator="MB", api_key="shop", limit=1), []
    while (page := await spool.search(query)).before is not None:
        assert len(page.messages) <= 1  # or none: so much and no more was looked through
        found += page.messages
        query = attrs.evolve(query, before=page.before)
    assert [each.id for each in (*found, *page.messages)] == ["c", "a"]


@ensureDeferred
async def test_a_query_finds_what_was_appended_a_moment_ago(spool):
    await spool.append(SOME[:1], ROOM)
    assert await ids(spool) == ["a"]
