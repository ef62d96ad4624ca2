"""Says how many permits keep an agreed rate, and how many less when the provider finds it too fast."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from smsd.core.outlook import Outlook

#: What is left of the pace each time that the provider finds it too fast, and the least that is left of it.
EASED: Final = 1 / 2
LEAST: Final = 1 / 4
#: Seconds without another complaint that give back so much of the agreed pace.
REGAIN_S: Final = 10.0
REGAINED: Final = 1 / 10
#: The weight of the latest round trip among all.
LATEST: Final = 1 / 4
#: Seconds that a round trip is thought to take until there was one.
LIKELY_S: Final = 0.05
#: How much shorter a step is reckoned with after each one that took less.
FADED: Final = 1 / 32


@attrs.frozen(kw_only=True)
class Permits:
    """How many requests may arrive in how long a time.

    While the pace is eased fewer permits may be out at once, and each for longer where their number must be whole.
    Neither ever goes the other way.
    """

    number: int
    span_s: float  #: seconds that a permit stays away after its use

    @classmethod
    def of(cls, rate: float) -> "Permits":
        """Those of ``rate`` requests a second.

        Below one a second there is one permit for 1 / rate seconds; above, the whole number of permits for a
        second: two and a half a second cannot be had without a third within some second.
        """
        return cls(number=max(1, math.floor(rate)), span_s=max(1.0, 1.0 / rate))

    def usable(self, share: float) -> int:
        """How many of them may be out at once at ``share`` of the pace."""
        return min(self.number, math.ceil(self.number * share))

    def eased_span_s(self, share: float) -> float:
        """Seconds that each of the usable ones stays away at ``share`` of the pace."""
        return self.span_s * max(1.0, self.usable(share) / (self.number * share))

    def pace(self, share: float, round_trip_s: float) -> float:
        """Requests a second at ``share`` of the pace, if each is answered after ``round_trip_s`` seconds."""
        return self.usable(share) / (self.eased_span_s(share) + round_trip_s)

    def outlook(self, ease: "Ease", round_trip_s: float, now: float, back: Sequence[float]) -> Outlook:
        """What the permits promise at ``now``, eased off by ``ease``; ``back`` is when those that are out are back."""
        share = ease.share_at(now)
        usable = self.usable(share)

        def until(number: int) -> float:
            place = len(back) - usable + number
            return max(0.0, back[place] - now) if 0 <= place < len(back) else 0.0

        return Outlook(
            pace=self.pace(share, round_trip_s),
            round=usable,
            first_s=until(0),
            second_s=until(1),
            last_s=until(usable - 1),
            gains=tuple((at - now, self.pace(share, round_trip_s)) for at, share in ease.gains(now)),
        )


@attrs.frozen(kw_only=True)
class Ease:
    """How far the pace was eased off, and when."""

    share: float = 1.0  #: of the agreed pace, as it was left
    at: float = 0.0  #: monotonic seconds

    def share_at(self, now: float) -> float:
        """The share of the pace at ``now``."""
        return regained(self.share, now - self.at)

    def more(self, now: float) -> "Ease":
        """The same after another complaint at ``now``."""
        return Ease(share=eased(self.share_at(now)), at=now)

    def gains(self, now: float) -> Iterator[tuple[float, float]]:
        """When after ``now`` the share rises, and to what."""
        steps = math.floor((now - self.at) / REGAIN_S) if self.share < 1.0 else 0
        while self.share < 1.0 and regained(self.share, steps * REGAIN_S) < 1.0:
            steps += 1
            yield self.at + steps * REGAIN_S, regained(self.share, steps * REGAIN_S)


def regained(share: float, since_s: float) -> float:
    """The share of the pace, ``since_s`` seconds after it was left at ``share``."""
    return min(1.0, share + math.floor(since_s / REGAIN_S) * REGAINED)


def eased(share: float) -> float:
    """The share of the pace after another complaint at ``share``."""
    return max(LEAST, share * EASED)


def likely_s(known_s: float | None) -> float:
    """The round trip to reckon with when the known one is ``known_s``; None: there was none yet."""
    return LIKELY_S if known_s is None else known_s


def smoothed(known_s: float | None, latest_s: float) -> float:
    """The round trip to reckon with after one of ``latest_s`` seconds, when it was ``known_s`` before."""
    known_s = latest_s if known_s is None else known_s
    return known_s + LATEST * (latest_s - known_s)


def foreseen(known_s: float, latest_s: float) -> float:
    """The longest that a step takes, after one that took ``latest_s`` seconds, when it was ``known_s`` before.

    It fades with each that took less.
    """
    return max(latest_s, known_s * (1.0 - FADED))
