"""Times as RFC 3339 writes them."""

from datetime import UTC, datetime
from functools import lru_cache


def moment(at: float) -> str:
    """``at`` (UTC epoch seconds) to the millisecond."""
    second, part = divmod(at, 1)
    return f"{_second(int(second))}.{int(part * 1000.0):03}Z"


@lru_cache(maxsize=1024)  # a time is written with each accept, and many are within one second
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def read_moment(text: str) -> float:
    """A time with an offset, in UTC epoch seconds. Raises ValueError and OverflowError."""
    read = datetime.fromisoformat(str.upper(text))  # RFC 3339 lets T and Z be small
    if read.tzinfo is None:
        raise ValueError
    return read.timestamp()


def a_year_after(at: float) -> float:
    """The same day and time a year after ``at`` (both UTC epoch seconds); of 29 February, 1 March."""
    date = datetime.fromtimestamp(at, UTC)
    try:
        return date.replace(year=date.year + 1).timestamp()
    except ValueError:
        return date.replace(year=date.year + 1, month=3, day=1).timestamp()
