"""Says in one sentence how things stand, and what a person should do about it."""

import enum
from collections.abc import Sequence
from typing import Final, Literal

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Priority
from smsd.core.moment import moment
from smsd.core.query import MAX_PAGE
from smsd.core.standing import Standing
from smsd.pipeline.hold import Mood
from smsd.pipeline.lane import Lane


class Tone(enum.Enum):
    """How loud a sentence is."""

    WELL = "well"  #: nothing to do
    LOOK = "look"  #: when there is time
    HELD = "held"  #: nothing is sent
    BROKEN = "broken"  #: nothing is taken or sent


@attrs.frozen(kw_only=True)
class Door:
    """A gateway as a person sees it."""

    name: str
    mood: Mood
    reason: str  #: why nothing is sent by it; empty while it is
    probe_at: float | None  #: UTC epoch seconds; when it is tried next, None while it is well
    pace: float  #: requests a second that it is given as things are

    @classmethod
    def of(cls, lane: Lane) -> "Door":
        """What ``lane`` is like now."""
        hold = lane.hold
        return cls(name=lane.name, mood=hold.mood, reason=hold.reason, probe_at=hold.probe_at, pace=lane.throttle.pace)


@attrs.frozen(kw_only=True)
class Glance:
    """All that the sentence is made of."""

    standing: Standing
    doors: Sequence[Door]  #: the first one first
    now: float  #: UTC epoch seconds
    stopped: str = ""  #: why messages are not taken, or cannot be read; empty while they are
    dead_lately: int = 0  #: messages given up within the last hour
    held: int = 0  #: messages that wait for an operator's word; MAX_PAGE stands for that many or more

    @property
    def waiting(self) -> int:
        """Messages whose turn may come now."""
        return sum(self.standing.in_line.values())

    @property
    def queued(self) -> int:
        """Messages that are queued: in line, scheduled, or held."""
        return self.standing.states[State.QUEUED]

    @property
    def eta(self) -> float | None:
        """UTC epoch seconds; when the last of those in line leaves. None when none is, or nobody can say."""
        door = self.open_door
        return self.now + self.waiting / door.pace if self.waiting and door is not None and door.pace else None

    @property
    def open_door(self) -> Door | None:
        """The gateway that messages go by; None when every one is held."""
        return next((door for door in self.doors if not door.reason), None)

    @property
    def probe_at(self) -> float | None:
        """UTC epoch seconds; the next time that a gateway is tried."""
        return min((door.probe_at for door in self.doors if door.probe_at is not None), default=None)

    def in_line(self, priority: Priority) -> int:
        """Messages of ``priority`` whose turn may come now."""
        return sum(count for (each, _), count in self.standing.in_line.items() if each is priority)

    def later(self, priority: Priority) -> int:
        """Messages of ``priority`` that wait for their time, or for an operator's word."""
        return max(0, self.standing.depth.get((State.QUEUED, priority), 0) - self.in_line(priority))

    def age_s(self, priority: Priority) -> float | None:
        """For how many seconds the first of ``priority`` is in line; None when none is."""
        first = self.standing.firsts.get(priority)
        return None if first is None else max(0.0, self.now - first)

    @property
    def oldest_s(self) -> float | None:
        """For how many seconds the first of all is in line; None when none is."""
        return None if self.standing.oldest is None else max(0.0, self.now - self.standing.oldest)


@attrs.frozen(kw_only=True)
class Sentence:
    """How things stand."""

    tone: Tone
    words: str  #: times here, and within ``until``, stand as <RFC 3339>, for whoever writes them down for people
    advice: str  #: what to do
    why: str = ""  #: in the words of whoever is to blame
    until: str = ""  #: when it may change by itself
    page: Literal["", "dead", "held"] = ""  #: the page on which to go on

    @property
    def key(self) -> str:
        """The same while nothing has changed that a person should be told aloud."""
        return f"{self.tone.value}: {self.advice}"


#: What helps, by the mood of the provider.
_ADVICE: Final = {
    Mood.HELD: "Look at the key and the balance in the provider's own console. Nothing is lost: all that waits goes "
    "by itself once a probe is taken.",
    Mood.FAILING: "The provider does not answer properly. Nothing is lost, and smsd tries again by itself: look at the "
    "provider's status page, and at the network from here.",
}


def sentence(glance: Glance) -> Sentence:
    """The one sentence for ``glance``: what is worst comes first."""
    if glance.stopped:
        advice = "Look at the disk or the database, and at the log. What was accepted is kept."
        words = f"Stopped: nothing is taken or sent; {_wait(glance)}."
        return Sentence(tone=Tone.BROKEN, words=words, why=glance.stopped, advice=advice)
    door, first = glance.open_door, glance.doors[0]
    if door is None:
        return Sentence(
            tone=Tone.HELD,
            words=f"Held: nothing is sent; {_wait(glance)}.",
            why=first.reason,
            until=f"{_at(glance.probe_at)}, when the provider is tried again",
            advice=_ADVICE[first.mood],
        )
    if door is not first:
        return Sentence(
            tone=Tone.LOOK,
            words=f"Going by {door.name}: {first.name} is held; {_leaves(glance)}.",
            why=first.reason,
            until=f"{_at(first.probe_at)}, when {first.name} is tried again",
            advice=_ADVICE[first.mood],
        )
    return _open(glance, first)


def _open(glance: Glance, door: Door) -> Sentence:
    if glance.held:
        held = _some(glance.held, "waits", "wait") if glance.held < MAX_PAGE else f"{MAX_PAGE:,} or more wait"
        words = f"Held since an outage: {held} for your word; {_leaves(glance)}."
        advice = "Send them, or let them expire."
        return Sentence(tone=Tone.LOOK, words=words, advice=advice, page="held")
    if glance.dead_lately:
        words = f"Sending, but {_some(glance.dead_lately, 'died', 'died')} within the hour; {_leaves(glance)}."
        advice = "Read why; replay them once the cause is mended."
        return Sentence(tone=Tone.LOOK, words=words, advice=advice, page="dead")
    if door.mood is Mood.THROTTLED:
        return Sentence(
            tone=Tone.LOOK,
            words=f"Slowed down; {_leaves(glance)}.",
            why="the provider wants fewer requests",
            until=f"{_at(door.probe_at)}, when it goes on",
            advice="Nothing to do: the pace comes back by itself.",
        )
    return Sentence(tone=Tone.WELL, words=f"All is well: {_leaves(glance)}.", advice="Nothing to do.")


def _leaves(glance: Glance) -> str:
    later = glance.queued - glance.waiting
    if glance.eta is None:
        return f"nothing is in line, {later:,} for later" if later > 0 else "nothing waits"
    return f"{_wait(glance)}, the last leaves at {_at(glance.eta)}"


def _wait(glance: Glance) -> str:
    return _some(glance.waiting, "waits", "wait")


def _some(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _at(at: float | None) -> str:
    return "soon" if at is None else f"<{moment(at)}>"
