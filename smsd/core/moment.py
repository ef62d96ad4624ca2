"""Times as RFC 3339 writes them."""

from datetime import UTC, datetime
from functools import lru_cache


def moment(at: float) -> str:
    """``at`` (UTC epoch seconds) to the millisecond."""
    day, second = divmod(int(at // 1), 86_400)
    hour, minute = divmod(second // 60, 60)
    return f"{_day(day)}T{hour:02}:{minute:02}:{second % 60:02}.{int(at % 1 * 1000.0):03}Z"


@lru_cache(maxsize=1024)  # a time is written with each accept, and most of it is the same all day
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()


def read_moment(text: str) -> float:
    """A time with an offset, in UTC epoch seconds. Raises ValueError and OverflowError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError
    return read.timestamp()
