"""Counts what an API key may have accepted within a fixed window of time."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from smsd.core.errors import SmsdError

MINUTE_S: Final = 60
DAY_S: Final = 86_400
_WORDS: Final = {MINUTE_S: "a minute", DAY_S: "a day"}


@attrs.frozen(kw_only=True)
class Quota:
    """How many recipients one API key may have accepted in a window."""

    name: str  #: ``rate`` or ``daily``
    limit: int  #: recipients
    window_s: int  #: windows begin at its multiples since the epoch: those of a day at midnight UTC

    def start(self, now: float) -> int:
        """UTC epoch seconds at which the window of ``now`` (the same) began."""
        return int(now // self.window_s) * self.window_s

    def ends(self, now: float) -> int:
        """UTC epoch seconds at which the window of ``now`` (the same) ends, and the next one begins."""
        return self.start(now) + self.window_s

    def left_s(self, now: float) -> int:
        """Whole seconds after which the window of ``now`` (UTC epoch seconds) has surely ended; at least 1."""
        return max(1, math.ceil(self.ends(now) - now))


@attrs.frozen(kw_only=True)
class Usage:
    """How far a quota is used up in its window."""

    quota: Quota
    used: int  #: recipients accepted in this window

    @property
    def remaining(self) -> int:
        """Recipients that may still be accepted in this window."""
        return max(0, self.quota.limit - self.used)


@attrs.frozen(kw_only=True)
class QuotaExceeded(SmsdError):
    """The quota {name} of this API key does not admit {count} recipients more."""

    name: str  #: of the quota that holds the longest
    count: int  #: recipients asked for
    at: float  #: UTC epoch seconds
    usages: tuple[Usage, ...]  #: of every quota, as it stands without them
    retry_after_s: int  #: seconds until the windows that are used up have ended, at least 1

    @property
    def is_for_good(self) -> bool:
        """Whether a quota would not admit so many even if nothing of it were used."""
        return any(self.count > each.quota.limit for each in self.usages)

    def __str__(self) -> str:
        usage = next(each for each in self.usages if each.quota.name == self.name)
        quota = usage.quota
        window = _WORDS.get(quota.window_s, f"in {quota.window_s} s")
        allowed = f"This API key may have {quota.limit} recipients accepted {window}"
        if self.count > quota.limit:
            return f"{allowed}: {self.count} at once can never pass"
        return f"{allowed} and has {usage.remaining} left: {self.count} do not pass"


def quotas_of(*, rate: int | None, daily: int | None) -> tuple[Quota, ...]:
    """The quotas of an API key: recipients a minute and a day, None where there is no limit."""
    limits = (("rate", rate, MINUTE_S), ("daily", daily, DAY_S))
    return tuple(
        Quota(name=name, limit=limit, window_s=window_s) for name, limit, window_s in limits if limit is not None
    )


def charge(quotas: Sequence[Quota], used: Mapping[str, int], count: int, now: float) -> tuple[Usage, ...]:
    """The usages once ``count`` recipients more are accepted at ``now`` (UTC epoch seconds).

    ``used`` is, by the name of a quota, what was accepted since its ``start(now)``; nothing where it is absent.
    Raises QuotaExceeded when any of them does not admit all of ``count``.
    """
    usages = tuple(Usage(quota=quota, used=used.get(quota.name, 0)) for quota in quotas)
    exceeded = [each.quota for each in usages if count > each.remaining]
    if exceeded:
        worst = max(exceeded, key=lambda quota: (count > quota.limit, quota.ends(now)))
        raise QuotaExceeded(
            name=worst.name,
            count=count,
            at=now,
            usages=usages,
            retry_after_s=max(quota.left_s(now) for quota in exceeded),
        )
    return tuple(attrs.evolve(each, used=each.used + count) for each in usages)
