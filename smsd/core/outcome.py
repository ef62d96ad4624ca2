"""What can come of asking a provider: to take a message, or whether it has one."""

import attrs

from smsd.core.address import Msisdn


@attrs.frozen(kw_only=True)
class Accepted:
    """The provider has the message."""

    provider_id: str


@attrs.frozen(kw_only=True)
class Postponed:
    """The provider surely does not have the message and may take it later: it could not be reached."""

    reason: str


@attrs.frozen(kw_only=True)
class Throttled:
    """The provider surely does not have the message: it wants fewer requests, whichever message they are for."""

    reason: str  #: in the provider's words
    retry_after_s: float | None = None  #: seconds it asked us to wait


@attrs.frozen(kw_only=True)
class Refused:
    """The provider will never take this message."""

    reason: str  #: in the provider's words


@attrs.frozen(kw_only=True)
class PartlyRefused:
    """The provider surely does not have the message, and would take it but for some of its recipients."""

    reasons: tuple[tuple[Msisdn, str], ...]  #: whom it refuses, and why in its words


@attrs.frozen(kw_only=True)
class Spared:
    """The provider surely does not have the message: it refused the request, and perhaps not for this one's sake."""

    reason: str  #: in the provider's words
    #: If it did not say for whose: which half of the request's messages this is of, the first (0) or the second (1).
    #: The halves go again without each other; of a single message its recipients do.
    half: int | None = None


@attrs.frozen(kw_only=True)
class Unanswered:
    """The provider may or may not have the message."""

    reason: str
    late: bool = False  #: the request may still be on its way (a timeout, not a cut)
    retry_after_s: float = 0.0  #: seconds it asked us to wait
    repeatable: bool = True  #: whether the same request again may bring the answer, where a provider knows a repeat
    is_fault: bool = (
        False  #: whether it answered, but with a fault of its own: a repeat might not be known, or bring the same
    )


@attrs.frozen(kw_only=True)
class HeldOff:
    """The provider takes nothing from us at all until a person acts (wrong key, no balance)."""

    reason: str


Outcome = Accepted | Postponed | Throttled | Refused | PartlyRefused | Spared | Unanswered | HeldOff


@attrs.frozen(kw_only=True)
class Found:
    """The provider has the message under this id."""

    provider_id: str


@attrs.frozen(kw_only=True)
class NotFound:
    """The provider does not list the message."""


@attrs.frozen(kw_only=True)
class LookupFailed:
    """The provider could not tell."""

    reason: str


LookupResult = Found | NotFound | LookupFailed
