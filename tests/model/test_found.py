"""What the model has found once, told straight."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from smsd.core.lifecycle import State
from smsd.core.moment import moment
from smsd.core.submission import Submission
from smsd.pipeline.intake import Receipt
from tests.model.engines import InMemory, OnDisk
from tests.model.provider import Fate
from tests.model.world import World


@pytest.fixture(params=[InMemory, OnDisk])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    world = World(request.param())
    yield world
    world.close()


def post(world: World, number: int = 1, send_in_s: int = 0, validity: int = 100_000) -> list[str]:
    """Have ``number`` messages accepted; their ids."""
    fields: dict[str, Any] = {"originator": "MB", "message": "Hello", "recipient": 31612345678}
    fields |= {"send_at": moment(world.now() + send_in_s), "validity": validity}
    submissions = [Submission.parse(fields, world.now())] * number
    receipt = world.outcome(world.process.intake.accept(submissions, "ann"))
    assert isinstance(receipt, Receipt)
    return list(receipt.ids)


@pytest.mark.parametrize("fate", [Fate.RESET_STORED, Fate.ERROR_STORED, Fate.LATE])
@pytest.mark.parametrize("state", [State.SENDING, State.UNCERTAIN])
def test_what_the_provider_may_have_cannot_be_replayed(world: World, fate: Fate, state: State) -> None:
    world.provider.fates.append(fate)
    world.provider.back_s = 0.3
    (id,) = post(world)
    steps = count()
    while world.book.messages[id].state is not state:
        assert next(steps) < 500
        world.pass_time(0.01)
    world.outcome(world.process.operations.replay(id))
    assert world.book.messages[id].state is state
    world.finish()
    assert world.provider.stored[id] == 1


def test_a_message_that_is_held_while_it_waits_for_a_permit_is_not_sent(world: World) -> None:
    world.provider.back_s = 0.7
    post(world, 20)
    world.pass_time(2.35)
    assert len(world.provider.stored) == 5  # and the next one waits for its permit
    world.outcome(world.process.seam.hold(world.now(), 2000))
    world.outcome(world.process.feeder.give_back())
    world.pass_time(5.0)
    world.check()
    assert [each.is_held for each in world.book.queued()] == [True] * 15
    world.finish()


def test_what_was_scheduled_has_a_place_once_its_time_has_come(world: World) -> None:
    world.provider.fates.extend([Fate.WRONG_KEY] * 9)
    post(world, 3)
    (later,) = post(world, send_in_s=2)
    assert world.read(world.store.engine.ahead(later)).then == 0  # of those that its time comes with
    world.pass_time(4.0)
    assert world.read(world.store.engine.ahead(later)).first == 3


def test_a_message_that_was_replayed_goes_before_what_came_after_it(world: World) -> None:
    world.provider.fates.extend([Fate.REFUSE, *[Fate.WRONG_KEY] * 9])
    first, *_ = post(world, 20)
    world.pass_time(2.0)
    assert world.book.messages[first].state is State.DEAD
    world.outcome(world.process.operations.replay(first))
    world.check()
    others = [each for each in world.book.queued() if each.id != first]
    leaving = sum(world.book.is_taken(each) for each in others)
    assert leaving < len(others) - 5
    assert world.read(world.store.engine.ahead(first)).first == leaving


def test_a_message_that_was_replayed_is_no_longer_stale(world: World) -> None:
    world.provider.fates.append(Fate.REFUSE)
    (id,) = post(world, validity=5)
    world.pass_time(10.0)
    world.outcome(world.process.operations.replay(id))
    world.check()
    world.finish()
    assert world.book.messages[id].state is State.SENT
