"""What the one sentence makes of how things stand."""

from typing import Any

import pytest

from smsd.api.dashboard.state import Door, Glance, Tone, sentence
from smsd.core.lifecycle import State
from smsd.core.message import Priority
from smsd.core.standing import Standing
from smsd.pipeline.hold import Mood


def glance(waiting: int = 0, doors: list[Door] | None = None, **changed: Any) -> Glance:
    depth = {(State.QUEUED, Priority.NORMAL): waiting}
    standing = Standing(depth=depth, in_line={(Priority.NORMAL, "k"): waiting}, recipients=waiting, firsts={})
    return Glance(standing=standing, doors=doors or [door()], now=0.0, **changed)


def door(mood: Mood = Mood.WELL, reason: str = "", name: str = "first") -> Door:
    return Door(name=name, mood=mood, reason=reason, probe_at=None if mood is Mood.WELL else 90.0, pace=0.5)


NO_BALANCE = door(Mood.HELD, "no balance")
AT_90, AT_20 = "<1970-01-01T00:01:30.000Z>", "<1970-01-01T00:00:20.000Z>"


@pytest.mark.parametrize(
    ("seen", "tone", "words"),
    [
        (glance(), Tone.WELL, "All is well: nothing waits."),
        (glance(10), Tone.WELL, f"All is well: 10 wait, the last leaves at {AT_20}."),
        (glance(1204, [NO_BALANCE]), Tone.HELD, "Held: nothing is sent; 1,204 wait."),
        (
            glance(10, [NO_BALANCE, door(name="second")]),
            Tone.LOOK,
            f"Going by second: first is held; 10 wait, the last leaves at {AT_20}.",
        ),
        (glance(dead_lately=2), Tone.LOOK, "Sending, but 2 died within the hour; nothing waits."),
        (glance(held=3), Tone.LOOK, "Held since an outage: 3 wait for your word; nothing waits."),
        (
            glance(5, [NO_BALANCE], stopped="the disk is full"),
            Tone.BROKEN,
            "Stopped: nothing is taken or sent; 5 wait.",
        ),
    ],
    ids=["idle", "well", "held", "failover", "dead", "stale", "stopped"],
)
def test_the_sentence_tells_the_worst_first(seen: Glance, tone: Tone, words: str) -> None:
    told = sentence(seen)
    assert (told.tone, told.words) == (tone, words)
    assert told.advice


@pytest.mark.parametrize(
    ("seen", "why", "until"),
    [
        (glance(5, [NO_BALANCE]), "no balance", f"{AT_90}, when the provider is tried again"),
        (glance(5, [NO_BALANCE, door(name="second")]), "no balance", f"{AT_90}, when first is tried again"),
        (glance(5, [door(Mood.THROTTLED)]), "the provider wants fewer requests", f"{AT_90}, when it goes on"),
        (glance(5, stopped="the disk is full"), "the disk is full", ""),
    ],
    ids=["held", "failover", "throttled", "stopped"],
)
def test_whoever_waits_is_told_why_and_until_when(seen: Glance, why: str, until: str) -> None:
    told = sentence(seen)
    assert (told.why, told.until) == (why, until)


def test_what_wants_a_person_leads_to_its_page() -> None:
    assert [sentence(each).page for each in (glance(held=3), glance(dead_lately=2), glance())] == ["held", "dead", ""]


def test_what_waits_is_told_by_priority() -> None:
    standing = Standing(
        depth={(State.QUEUED, Priority.HIGH): 5, (State.QUEUED, Priority.LOW): 2},
        in_line={(Priority.HIGH, "a"): 1, (Priority.HIGH, "b"): 2},
        recipients=7,
        firsts={Priority.HIGH: 70.0},
    )
    seen = Glance(standing=standing, doors=[door()], now=100.0)
    assert (seen.in_line(Priority.HIGH), seen.later(Priority.HIGH), seen.age_s(Priority.HIGH)) == (3, 2, 30.0)
    assert (seen.in_line(Priority.LOW), seen.later(Priority.LOW), seen.age_s(Priority.LOW)) == (0, 2, None)
    assert seen.oldest_s == 30.0
