"""How patient the daemon is with a provider."""

import enum

import attrs

from smsd.core.retry import Backoff


class Doubt(enum.Enum):
    """What to do with a message when the provider cannot tell whether it has it."""

    RESEND = "resend"  #: send it again: late rather than lost
    HOLD = "hold"  #: keep it for a person: lost rather than twice


@attrs.frozen(kw_only=True)
class Policy:
    """How patient the daemon is."""

    backoff: Backoff
    attempts: int = 0  #: tries before a message is dead; 0: until success or validity
    grace_s: float = 10.0  #: seconds before "not found" is believed
    doubt: Doubt = Doubt.RESEND
