"""Tells a client how far its quotas are used up, as draft-ietf-httpapi-ratelimit-headers-11 says."""

from collections.abc import Sequence

from smsd.core.quota import Usage


def ratelimit(usages: Sequence[Usage], now: float) -> dict[str, str]:
    """The headers for ``usages`` at ``now`` (UTC epoch seconds); none when there is no quota.

    Both are lists of strings with parameters (RFC 9651): "q" is the quota and "w" its window in seconds, "r" what is
    left and "t" the seconds that are left of the window.
    """
    if not usages:
        return {}
    return {
        "RateLimit-Policy": ", ".join(
            f'"{each.quota.name}";q={each.quota.limit};w={each.quota.window_s}' for each in usages
        ),
        "RateLimit": ", ".join(f'"{each.quota.name}";r={each.remaining};t={each.quota.left_s(now)}' for each in usages),
    }
