"""What a provider sent back to one request."""

import json

import attrs

from smsd.gateway.answers import epoch_s, retry_after_s


@attrs.frozen(kw_only=True)
class Reply:
    """A whole answer, whatever it says, decoded."""

    status: int  #: of HTTP
    decoded: object  #: from JSON; None if it was none
    retry_after: str = ""  #: the header as it came
    date: str = ""  #: the header as it came

    def wait_s(self, now: float) -> float | None:
        """Seconds that it asks us to wait, if it came in at ``now`` (UTC epoch seconds); None if it does not say."""
        return retry_after_s(self.retry_after, epoch_s(self.date) or now)


def from_json(content: bytes) -> object:
    """What ``content`` says in JSON; None if it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
