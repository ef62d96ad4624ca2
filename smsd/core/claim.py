"""What a client's idempotency key stands for."""

from collections.abc import Callable

import attrs

from smsd.core.errors import SmsdError
from smsd.core.turns import Place


@attrs.frozen(kw_only=True)
class Claim:
    """A key under which a request is made, kept together with what is accepted by it."""

    api_key: str  #: the name of the API key; each has idempotency keys of its own
    key: str  #: the client's word, 1 to 255 characters
    fingerprint: str  #: of the body, in hexadecimal; the same for the same JSON value
    at: float  #: UTC epoch seconds; when it is made
    until: float  #: UTC epoch seconds; from then on the key is free again
    answer: Callable[[Place], str]  #: pure; the answer's body, given the place in line


@attrs.frozen(kw_only=True)
class Claimed(SmsdError):
    """This idempotency key was used already."""

    fingerprint: str  #: of the body that came with it first
    answer: str  #: the body of the first answer


def kept_claim(api_key: str, key: str, claimed: Claimed, at: float, until: float) -> Claim:
    """The claim, as of ``at``, under which ``claimed`` would be kept once more."""
    return Claim(
        api_key=api_key,
        key=key,
        fingerprint=claimed.fingerprint,
        at=at,
        until=until,
        answer=lambda place: claimed.answer,
    )
