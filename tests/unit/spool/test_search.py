"""Whatever is asked, and however little is looked through for a page, the pages are the whole answer."""

from itertools import combinations
from pathlib import Path
from typing import Any

import attrs
import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from smsd.core.address import Msisdn, Originator
from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.core.settle import cancel
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.sqlite import SqliteSpool
from tests.messages import NOW, ROOM, message

ANN, BOB = Msisdn("31600000001"), Msisdn("31600000002")
TO = [(ANN,), (BOB,), (ANN, BOB), (BOB, ANN)]
FILTERS: dict[str, Any] = {
    "state": State.CANCELED,
    "recipient": BOB,
    "originator": "Shop",
    "reference": "order",
    "batch": "whole",
    "api_key": "shop",
    "since": NOW + 10,
    "until": NOW + 50,
}
MANY = [
    message(
        f"{each:026}",
        recipients=TO[each % 4],
        originator=Originator("Shop" if each % 3 else "MB"),
        reference="order" if each % 5 > 1 else "",
        batch="whole" if each % 7 > 2 else "",
        api_key="shop" if each % 2 else "bank",
        accepted_at=NOW + each,
    )
    for each in range(60)
]


@async_yield_fixture(params=["sqlite", "postgresql"])
async def spool(request: Any, reactor: Any, tmp_path: Path):
    if request.param == "sqlite":
        engine: Any = SqliteSpool(str(tmp_path / "spool.db"), reactor=reactor)
    else:
        engine = PostgresSpool(request.getfixturevalue("database"), reactor=reactor)
    engine.open()
    yield engine
    await engine.close()


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@ensureDeferred
async def test_the_pages_of_any_question_are_all_it_admits_newest_first(spool):
    await spool.append(MANY, ROOM)
    stored = [await spool.amend(each.id, lambda was: cancel(was, NOW + 99)) for each in MANY if int(each.id) % 11 > 3]
    kept = {each.id: each for each in (*MANY, *stored)}
    for number in (1, 2, 3, len(FILTERS)):
        for names in combinations(FILTERS, number):
            query = Query(**{name: FILTERS[name] for name in names}, limit=3)
            admitted = [each.id for each in reversed(kept.values()) if query.admits(each)]
            for slice in (1, 4, 1000):
                assert pages(spool, query, slice) == admitted, (names, slice)


def pages(spool: Any, query: Query, slice: int) -> list[str]:
    """The ids on every page for which ``slice`` messages are looked through."""
    found: list[str] = []
    while True:
        page = spool._reading.search(query, slice)
        assert len(page.messages) <= query.limit
        found += [each.id for each in page.messages]
        if page.before is None:
            return found
        assert query.before is None or page.before < query.before
        query = attrs.evolve(query, before=page.before)
