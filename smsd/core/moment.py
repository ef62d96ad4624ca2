"""Times as RFC 3339 writes them."""

from datetime import UTC, datetime
from functools import lru_cache


def moment(at: float) -> str:
    """``at`` (UTC epoch seconds) to the millisecond."""
    second, rest = divmod(at, 1.0)
    return f"{_second(int(second))}.{int(rest * 1000.0):03}Z"


@lru_cache(maxsize=1024)  # the same few seconds are written thousands of times
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]


def read_moment(text: str) -> float:
    """A time with an offset, in UTC epoch seconds. Raises ValueError and OverflowError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError
    return read.timestamp()
