"""Times as RFC 3339 writes them."""

from datetime import UTC, datetime


def moment(at: float) -> str:
    """``at`` (UTC epoch seconds) to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(text: str) -> float:
    """A time with an offset, in UTC epoch seconds. Raises ValueError and OverflowError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError
    return read.timestamp()
