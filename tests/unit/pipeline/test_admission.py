"""Who is refused for want of room is told when there should be some."""

from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolFull
from smsd.core.message import Message
from smsd.core.outlook import Outlook
from smsd.pipeline.admission import Admission
from smsd.spool.memory import MemorySpool
from tests.messages import NOW, sms
from tests.unit.pipeline.world import Notebook

LIMIT = 3


async def retry_after_s(
    *waiting: Message, pace: float = 2.0, first_s: float = 0.0, is_held: bool = False, asked: int = 1
) -> int:
    """What a client is told for whose ``asked`` messages there is no room beside ``waiting``."""
    spool = MemorySpool()
    spool.open()
    more: dict[str, Any] = {"backlog_limit": LIMIT, "quotas": lambda name: (), "wake": lambda: None}
    outlook = Outlook(pace=pace, first_s=first_s)
    admission = Admission(inbox=spool, outlook=lambda: outlook, reporter=Notebook(), **more)
    await admission.admit(waiting, None, NOW)
    if is_held:
        await spool.hold(NOW + 1, 99)
    with pytest.raises(SpoolFull) as full:
        await admission.admit([sms() for _ in range(asked)], None, NOW)
    return full.value.retry_after_s


def at(*times: float) -> list[Message]:
    """Messages scheduled so many seconds from NOW."""
    return [sms(not_before=NOW + time) for time in times]


@ensureDeferred
async def test_by_the_pace_while_what_waits_is_in_line() -> None:
    assert await retry_after_s(sms(), sms(), sms(), pace=2.0) == 1
    assert await retry_after_s(sms(), sms(), sms(), pace=0.1, asked=2) == 11


@ensureDeferred
async def test_not_before_the_provider_is_tried_again() -> None:
    assert await retry_after_s(sms(), sms(), sms(), first_s=29.5) == 30


@ensureDeferred
async def test_not_before_a_permit_is_back() -> None:
    assert await retry_after_s(sms(), sms(), sms(), pace=2.0, first_s=1.0) == 2
    assert await retry_after_s(sms(), sms(), sms(), pace=2.0, first_s=1.0, asked=3) == 3


@ensureDeferred
async def test_not_before_the_time_of_what_is_scheduled() -> None:
    assert await retry_after_s(*at(300, 100, 200), pace=1.0) == 101
    assert await retry_after_s(*at(300, 100, 200), pace=1.0, asked=2) == 202
    assert await retry_after_s(sms(), *at(100, 200), pace=1.0) == 1
    assert await retry_after_s(sms(), *at(100, 200), pace=1.0, asked=2) == 101


@ensureDeferred
async def test_in_an_hour_when_all_that_waits_is_held_for_a_person() -> None:
    assert await retry_after_s(sms(), sms(), sms(), is_held=True) == 3600
    assert await retry_after_s(sms(), *at(100, 200), is_held=True) == 101
