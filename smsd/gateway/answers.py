"""Says what every answer of the provider, or the lack of one, means for a message."""

import enum
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final, assert_never

import attrs

from smsd.core.outcome import Accepted, HeldOff, Outcome, Postponed, Refused, Throttled, Unanswered
from smsd.core.scrub import line

#: Seconds; a longer ``Retry-After`` is cut to this, so that a slip of the provider cannot stall a message for days.
MAX_RETRY_AFTER_S: Final = 3600.0
#: Characters of one of the provider's sentences that are kept.
MAX_WORDS: Final = 200
#: Errors of one answer that are kept.
MAX_ERRORS: Final = 5
#: The one form of a date that RFC 9110 5.6.7 lets a sender use: ``Sun, 06 Nov 1994 08:49:37 GMT``.
_HTTP_DATE: Final = r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"


class Failure(enum.Enum):
    """Why there is no answer; the values are the words for people."""

    UNRESOLVED = "the provider's name could not be resolved"
    UNREACHABLE = "no connection to the provider could be made"
    CONNECT_LATE = "the provider did not take the connection in time"
    TLS_FAILED = "no secure connection to the provider could be agreed"
    TOO_LATE = "it took too long until the request could go out"
    UNWRITABLE = "the text cannot be written as UTF-8"
    LATE = "the provider did not answer in time"
    CUT = "the connection broke before the whole answer was in"
    TOO_BIG = "the provider's answer was too big to read"
    UNREADABLE = "the provider's answer could not be read"


class Meaning(enum.Enum):
    """What an HTTP status says about the message."""

    TAKEN = "taken"
    SLOWER = "slower"  #: surely not taken, may be tried again once all have waited
    NEVER = "never"  #: surely not taken, no use trying again
    HOLD = "hold"  #: surely not taken, and neither would any other
    DOUBT = "doubt"  #: cannot be told


#: What was never sent is postponed; what may have arrived is looked up before it goes again.
_OF_FAILURE: Final[Mapping[Failure, Outcome]] = {
    Failure.UNRESOLVED: Postponed(reason=Failure.UNRESOLVED.value),
    Failure.UNREACHABLE: Postponed(reason=Failure.UNREACHABLE.value),
    Failure.CONNECT_LATE: Postponed(reason=Failure.CONNECT_LATE.value),
    Failure.TLS_FAILED: Postponed(reason=Failure.TLS_FAILED.value),
    Failure.TOO_LATE: Postponed(reason=Failure.TOO_LATE.value),
    Failure.UNWRITABLE: Refused(reason=Failure.UNWRITABLE.value),
    Failure.LATE: Unanswered(reason=Failure.LATE.value, late=True),
    Failure.CUT: Unanswered(reason=Failure.CUT.value),
    Failure.TOO_BIG: Unanswered(reason=Failure.TOO_BIG.value),
    Failure.UNREADABLE: Unanswered(reason=Failure.UNREADABLE.value),
}
#: The statuses that mean something of their own; MessageBird REST API, "Errors".
_OF_STATUS: Final[Mapping[int, Meaning]] = {
    401: Meaning.HOLD,  # wrong access key
    402: Meaning.HOLD,  # no balance
    403: Meaning.HOLD,
    408: Meaning.DOUBT,  # it gave up on the request, which may have been whole
    429: Meaning.SLOWER,  # "has not been processed"
}
#: The rest, by their first digit. A redirect (3) means that the address is wrong: every message would meet it.
_OF_CLASS: Final[Mapping[int, Meaning]] = {2: Meaning.TAKEN, 3: Meaning.HOLD, 4: Meaning.NEVER, 5: Meaning.DOUBT}
#: Codes that hold off everything, whatever 4xx they come with: 2 wrong access key, 25 not enough balance.
_HOLDING_CODES: Final = frozenset({2, 25})


@attrs.frozen(kw_only=True)
class ProviderError:
    """One error of an answer, as the provider words it."""

    code: int | None  #: MessageBird's own number
    description: str
    parameter: str | None  #: the field it is about


@attrs.frozen(kw_only=True)
class Answer:
    """What the provider answered."""

    status: int  #: of HTTP
    errors: tuple[ProviderError, ...] = ()
    provider_id: str | None = None  #: theirs, if it says that it took the message
    retry_after_s: float | None = None  #: seconds it asked us to wait

    @classmethod
    def parse(cls, status: int, decoded: object, retry_after_s: float | None = None) -> "Answer":
        """Read a decoded JSON body (anything at all, None if there is none)."""
        fields = decoded if isinstance(decoded, Mapping) else {}
        errors = fields.get("errors")
        return cls(
            status=status,
            errors=tuple(_errors(errors)) if isinstance(errors, list) else (),
            provider_id=provider_id(fields),
            retry_after_s=retry_after_s,
        )


def outcome_of(answer: Answer, hidden: Iterable[str] = ()) -> Outcome:
    """What ``answer`` means for the message; its reason has none of the ``hidden`` words (key, text, numbers)."""
    reason = words(answer, hidden)
    match _meaning(answer):
        case Meaning.TAKEN if answer.provider_id:
            return Accepted(provider_id=answer.provider_id)
        case Meaning.TAKEN | Meaning.DOUBT:
            return Unanswered(reason=reason, retry_after_s=answer.retry_after_s or 0.0)
        case Meaning.SLOWER:
            return Throttled(reason=reason, retry_after_s=answer.retry_after_s)
        case Meaning.NEVER:
            return Refused(reason=reason)
        case Meaning.HOLD:
            return HeldOff(reason=reason)
        case unknown:
            assert_never(unknown)


def outcome_of_failure(failure: Failure) -> Outcome:
    """What it means for the message that there was no answer."""
    return _OF_FAILURE[failure]


def words(answer: Answer, hidden: Iterable[str] = ()) -> str:
    """``answer`` in a sentence fit for a log: without the ``hidden`` words and without phone numbers."""
    said = [_sentence(error, hidden) for error in answer.errors[:MAX_ERRORS]]
    return "; ".join([f"the provider answered {answer.status}", *said])


def provider_id(fields: Mapping[str, Any]) -> str | None:
    """The id in a message as the provider shows it, None if there is none."""
    id = fields.get("id")
    # Neither half of a surrogate pair nor NUL, which JSON can hold, could be stored everywhere.
    return str(id).encode("utf-8", "replace").decode().replace("\0", "?") if isinstance(id, str | int) and id else None


def retry_after_s(header: str, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, at most an hour; None if it names none.

    It holds a number of seconds or a date (RFC 9110 10.2.3); ``now`` is the time of the answer (UTC epoch seconds),
    best by the clock that the date was read from: ours and theirs need not agree.
    """
    if re.fullmatch(r"\s*[0-9]{1,19}(\.[0-9]+)?\s*", header):
        return min(float(header), MAX_RETRY_AFTER_S)
    until = epoch_s(header)
    return None if until is None else min(max(0.0, until - now), MAX_RETRY_AFTER_S)


def epoch_s(date: str) -> float | None:
    """UTC epoch seconds of a ``Date`` header, None if it holds none."""
    if re.fullmatch(_HTTP_DATE, date.strip()) is None:
        return None
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except ValueError:  # the 32nd of a month
        return None


def _meaning(answer: Answer) -> Meaning:
    meaning = _OF_STATUS.get(answer.status) or _OF_CLASS.get(answer.status // 100, Meaning.DOUBT)
    if meaning is Meaning.NEVER and any(error.code in _HOLDING_CODES for error in answer.errors):
        return Meaning.HOLD
    return meaning


def _errors(items: list[Any]) -> Iterable[ProviderError]:
    for item in items:
        if isinstance(item, Mapping):
            code, description, parameter = (item.get(name) for name in ("code", "description", "parameter"))
            yield ProviderError(
                code=code if isinstance(code, int) else None,
                description=description if isinstance(description, str) else "",
                parameter=parameter if isinstance(parameter, str) else None,
            )


def _sentence(error: ProviderError, hidden: Iterable[str]) -> str:
    said = line(error.description, MAX_WORDS, hidden) or "no description"
    code = "" if error.code is None else f" (code {error.code})"
    parameter = f" [{line(error.parameter, MAX_WORDS, hidden)}]" if error.parameter else ""
    return f"{said}{code}{parameter}"
