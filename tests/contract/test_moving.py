"""A backlog moves from any engine to any other, and each message has a turn on one of them alone."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.python.components import proxyForInterface

from smsd.core.address import Msisdn
from smsd.core.claim import Claim
from smsd.core.errors import SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.query import Query
from smsd.core.settle import abandon
from smsd.pipeline.moving import Moved, Mover
from smsd.ports import IEngine
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.sqlite import SqliteSpool
from smsd.spool.stream.engine import StreamSpool
from tests.messages import NOW, ROOM
from tests.stream.memorylog import MemoryLog, Shard

LATER = NOW + 1000.0
PAIRS = [
    ("sqlite", "sqlite"),
    ("sqlite", "postgresql"),
    ("postgresql", "sqlite"),
    ("sqlite", "stream"),
    ("stream", "postgresql"),
]


@pytest_twisted.async_yield_fixture(params=PAIRS, ids="-".join)
async def pair(request: Any, reactor: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """Two open engines."""

    def make(kind: str, name: str) -> Any:
        if kind == "postgresql":
            return PostgresSpool(request.getfixturevalue("database"), reactor=reactor)
        if kind == "stream":
            ledger = str(tmp_path / f"{name}-ledger.db")
            return StreamSpool(MemoryLog(Shard()), name="log", ledger=ledger, reactor=reactor)
        return SqliteSpool(str(tmp_path / f"{name}.db"), reactor=reactor)

    engines = [make(kind, name) for kind, name in zip(request.param, ("source", "target"), strict=True)]
    for engine in engines:
        engine.open()
    yield engines
    for engine in engines:
        await engine.close()


class CutOff(proxyForInterface(IEngine, "engine")):  # type: ignore[misc]  # a class made at run time
    """An engine that breaks at one of its writes, before it or after it."""

    engine: Any

    def __init__(self, engine: Any, at: int) -> None:
        super().__init__(engine)
        self._left = at

    async def _cut(self, write: Any, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise SpoolUnavailable(reason="cut off before")
        result = await write(*arguments)
        self._left -= 1
        if self._left == 0:
            raise SpoolUnavailable(reason="cut off after")
        return result

    async def append(self, *arguments: Any) -> Any:
        return await self._cut(self.engine.append, *arguments)

    async def amend(self, *arguments: Any) -> Any:
        return await self._cut(self.engine.amend, *arguments)


def mover(source: Any, target: Any, page: int = 3) -> Mover:
    return Mover(source=source, target=target, to="the other", now=lambda: LATER, tell=lambda done: None, page=page)


async def everything(engine: Any) -> dict[str, Message]:
    return {each.id: each for each in (await engine.search(Query(limit=500))).messages}


async def filled(source: Any, sms: Callable[..., Message], inbound: Any) -> dict[str, Message]:
    """Put a message of each kind into ``source``; what should be found at the target."""
    dead = sms(state=State.DEAD, error="no such number", attempts=1, attend_at=NOW)
    sent = sms(state=State.SENT, provider_id="abc", sent_at=NOW + 1, callback_url="https://example.com/")
    one_key = [
        sms(),
        sms(not_before=NOW + 5000),
        sms(recipients=(Msisdn("31600000001"), Msisdn("31600000002")), batch="whole", reference="order 7"),
        sms(state=State.UNCERTAIN, attempts=1, attempted_at=NOW),
        sms(is_held=True),
        dead,
        sent,
    ]
    claim = Claim(api_key="demo", key="k", fingerprint="f", at=NOW, until=NOW + 9999, answer=lambda place: "told")
    await source.append(one_key, ROOM, claim)
    await source.append([sms(api_key="shop") for _ in range(5)], ROOM)
    await source.receive(inbound("in"), None)
    return await everything(source)


@ensureDeferred
async def test_all_is_there_as_it_was_and_has_no_turn_any_more_where_it_was(pair: Any, sms: Any, inbound: Any) -> None:
    source, target = pair
    before = await filled(source, sms, inbound)
    depth = (await source.standing()).states
    assert await mover(source, target).move() == Moved(moved=12)
    assert await everything(target) == before
    assert list(await everything(target)) == list(before)
    assert (await target.standing()).states == depth
    assert (await target.claimed("demo", "k", NOW)).answer == "told"
    assert [each.id for each in (await target.received(9))[0]] == ["in"]
    for state in (State.QUEUED, State.UNCERTAIN):
        assert await source.lease(LATER * 2, 100, state) == []
    assert (await source.standing()).in_line == {}
    leased = await target.lease(LATER, 100)
    assert len(leased) == 7  # but for the one whose time has not come, and the one that was held
    assert len(await target.lease(LATER, 100, State.UNCERTAIN)) == 1


@ensureDeferred
@pytest.mark.parametrize("whose", ["source", "target"])
async def test_what_is_cut_off_anywhere_goes_on_and_nothing_is_twice(
    pair: Any, sms: Any, inbound: Any, whose: str
) -> None:
    source, target = pair
    before = await filled(source, sms, inbound)
    for at in range(1, 40, 3):
        cut = {"source": source, "target": target}
        cut[whose] = CutOff(cut[whose], at)
        try:
            await mover(**cut).move()
        except SpoolUnavailable:
            both = [await turns(engine) for engine in pair]
            assert both[0].isdisjoint(both[1])
    await mover(source, target).move()
    assert await everything(target) == before
    assert await mover(source, target).move() == Moved(there=12)


async def turns(engine: Any) -> set[str]:
    """The messages that the engine would give a turn, now or later."""
    return {
        each.id
        for each in (await everything(engine)).values()
        if each.state in (State.QUEUED, State.UNCERTAIN) and not each.is_held
    }


@ensureDeferred
async def test_what_was_being_sent_when_its_daemon_died_is_uncertain_at_the_target(
    reactor: Any, tmp_path: Path, sms: Any
) -> None:
    source, target = (SqliteSpool(str(tmp_path / name), reactor=reactor) for name in ("a.db", "b.db"))
    source.open()
    message = sms()
    await source.append([message], ROOM)
    [lease] = await source.lease(NOW, 1)
    sending = attrs.evolve(message, state=State.SENDING, attempts=1, attempted_at=NOW)
    lease = await source.store(lease, sending)
    target.open()
    # While its sender lives, it stays.
    assert await mover(source, target).move() == Moved(sending=1)
    await source.close()
    source.open()
    assert await mover(source, target).move() == Moved(moved=1)
    assert await target.find(message.id) == abandon(sending, LATER)
    await source.close()
    await target.close()


@ensureDeferred
async def test_a_key_that_the_target_has_too_stays_as_it_is(pair: Any, sms: Any) -> None:
    source, target = pair

    def claim(answer: str) -> Claim:
        return Claim(api_key="demo", key="k", fingerprint=answer, at=NOW, until=NOW + 9999, answer=lambda place: answer)

    await source.append([sms()], ROOM, claim("source"))
    await target.append([sms()], ROOM, claim("target"))
    assert (await mover(source, target).move()).moved == 1
    assert (await target.claimed("demo", "k", NOW)).answer == "target"
