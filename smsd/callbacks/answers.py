"""Says what every answer of a receiver means for a callback."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from smsd.core.callback import Answered, Delivered, Failed, Gone

#: RFC 9110 10.2.3 and RFC 6585 4: the statuses with which ``Retry-After`` says when to come again.
_ASKS_TO_WAIT: Final = frozenset({429, 503})
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def read_answer(status: int, retry_after: str | None, now: float) -> Answered:
    """What HTTP ``status`` with a ``Retry-After`` header means, at ``now`` (UTC epoch seconds)."""
    if 200 <= status < 300:
        return Delivered()
    if status == 410:
        return Gone()
    if 300 <= status < 400:
        # Standard Webhooks: "3xx: Failure". Followed, it could lead anywhere.
        return Failed(reason=f"the receiver answered {status}, and redirects are not followed")
    wait_s = retry_after_s(retry_after or "", now) if status in _ASKS_TO_WAIT else None
    return Failed(reason=f"the receiver answered {status}", retry_after_s=wait_s)


def retry_after_s(header: str, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, as a number or a date; None if it names neither."""
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at - now)
