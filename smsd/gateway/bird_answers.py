"""Says what every answer of Bird, MessageBird's successor, means for a message."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, assert_never

import attrs

from smsd.core.address import Msisdn
from smsd.core.outcome import Accepted, HeldOff, Outcome, PartlyRefused, Refused, Spared, Throttled, Unanswered
from smsd.core.scrub import line
from smsd.gateway.answers import MAX_ERRORS, MAX_WORDS, Meaning, provider_id

#: By the error's ``type``, a closed list: bird.com/docs/errors, and the SDK's ``ErrorBodyType``. The older names first.
_OF_TYPE: Final[Mapping[str, Meaning]] = {
    "authentication_failed": Meaning.HOLD,
    "auth_error": Meaning.HOLD,
    "insufficient_balance": Meaning.HOLD,
    "billing_error": Meaning.HOLD,
    "permission_denied": Meaning.HOLD,
    "permission_error": Meaning.HOLD,
    "misdirected_error": Meaning.HOLD,  # the key belongs to another region
    "rate_limited": Meaning.SLOWER,
    "rate_limit_error": Meaning.SLOWER,
    "conflict": Meaning.DOUBT,
    "conflict_error": Meaning.DOUBT,
    "client_closed_request_error": Meaning.DOUBT,
    "too_early_error": Meaning.DOUBT,
    "internal_error": Meaning.DOUBT,
    "not_implemented_error": Meaning.DOUBT,
    "service_unavailable_error": Meaning.DOUBT,
}
#: By the status of HTTP, for what has no type, or one that is not listed (and for all that is plainly wrong).
_OF_STATUS: Final[Mapping[int, Meaning]] = {
    401: Meaning.HOLD,
    402: Meaning.HOLD,
    403: Meaning.HOLD,
    408: Meaning.DOUBT,
    409: Meaning.DOUBT,  # an Idempotency-Key that is in use, or was used for something else
    421: Meaning.HOLD,
    425: Meaning.DOUBT,
    429: Meaning.SLOWER,
    499: Meaning.DOUBT,
}
#: A redirect means that the address is wrong: every message would meet it.
_OF_CLASS: Final[Mapping[int, Meaning]] = {2: Meaning.TAKEN, 3: Meaning.HOLD, 4: Meaning.NEVER, 5: Meaning.DOUBT}
#: The first request under the key is still under way there: the same again brings its answer (bird.com, "Idempotency").
_IN_PROGRESS: Final = frozenset({"E01004", "RequestInProgress", "request_in_progress", "idempotency_key_in_use"})
#: It is this recipient who wants nothing, whatever the status says.
_OPTED_OUT: Final = re.compile(r"opted.?out|suppress|unsubscribed", re.IGNORECASE)
#: ``messages[3].to``: which message of a batch is at fault.
_ELEMENT: Final = re.compile(r"/?(?:messages)?[./\[]?([0-9]{1,3})\]?(?:[./].*)?", re.ASCII)
#: What is the same for all recipients of a message.
_ALIKE: Final = frozenset({"from", "text", "category", "metadata"})


@attrs.frozen(kw_only=True)
class Fault:
    """What one field is refused for."""

    param: str  #: the path of the field, such as ``messages[3].to``
    message: str  #: in the provider's words

    @property
    def element(self) -> int | None:
        """The place in the batch of the message that it is about; None if it is about none."""
        match = _ELEMENT.fullmatch(self.param)
        return None if match is None else int(match[1])


@attrs.frozen(kw_only=True)
class BirdAnswer:
    """What the provider answered."""

    status: int  #: of HTTP
    type: str = ""  #: the broad kind of the error
    code: str = ""  #: the error itself, such as ``E01001``
    name: str = ""  #: the same for people
    message: str = ""  #: the same in a sentence
    doc_url: str = ""  #: where it is explained
    faults: tuple[Fault, ...] = ()  #: field by field
    ids: tuple[str, ...] = ()  #: theirs, of the messages that it says it took
    retry_after_s: float | None = None  #: seconds it asked us to wait

    @classmethod
    def parse(cls, status: int, decoded: object, retry_after_s: float | None = None) -> "BirdAnswer":
        """Read a decoded JSON body (anything at all, None if there is none)."""
        fields = decoded if isinstance(decoded, Mapping) else {}
        # The error is wrapped in ``error``; it was not always.
        error = fields["error"] if isinstance(fields.get("error"), Mapping) else fields
        named = {name: _text(error, name) for name in ("type", "code", "name", "message", "doc_url")}
        items = fields["data"] if isinstance(fields.get("data"), list) else [fields]
        ids = [provider_id(item) if isinstance(item, Mapping) else None for item in items]
        return cls(
            status=status,
            faults=tuple(_faults(error)),
            # One without an id: of that one nobody could tell afterwards, so the whole counts as unread.
            ids=() if None in ids else tuple(id for id in ids if id is not None),
            retry_after_s=retry_after_s,
            **named,
        )


def outcomes_of(answer: BirdAnswer, parts: Sequence[Sequence[Msisdn]], hidden: Iterable[str] = ()) -> Sequence[Outcome]:
    """What ``answer`` means for each of the messages that its request was for, given to whom each went, in this order.

    No reason has any of the ``hidden`` words (key, text, numbers).
    """
    meaning, ends = _meaning(answer), list(accumulate(map(len, parts)))
    if meaning is Meaning.TAKEN and len(answer.ids) == ends[-1]:
        return [Accepted(provider_id=answer.ids[end - len(part)]) for part, end in zip(parts, ends, strict=True)]
    if meaning is Meaning.NEVER:
        return _refused(answer, parts, hidden)
    return [_outcome_of_all(answer, meaning, words(answer, hidden))] * len(parts)


def _outcome_of_all(answer: BirdAnswer, meaning: Meaning, reason: str) -> Outcome:
    match meaning:
        case Meaning.TAKEN | Meaning.DOUBT:
            repeatable = answer.status != 409 or _is_one_of(answer, _IN_PROGRESS)
            return Unanswered(
                reason=reason,
                retry_after_s=answer.retry_after_s or 0.0,
                repeatable=repeatable,
                # After a 5xx the key is free again (bird.com, "Idempotency"), and what is no use would only come again.
                is_fault=meaning is Meaning.TAKEN or answer.status >= 500,
            )
        case Meaning.SLOWER:
            return Throttled(reason=reason, retry_after_s=answer.retry_after_s)
        case Meaning.NEVER:
            return Refused(reason=reason)
        case Meaning.HOLD:
            return HeldOff(reason=reason)
        case unknown:
            assert_never(unknown)


def words(answer: BirdAnswer, hidden: Iterable[str] = ()) -> str:
    """``answer`` in a sentence fit for a log: without the ``hidden`` words and without phone numbers."""
    kind = " ".join(part for part in (answer.name or answer.type, answer.code) if part)
    said = [line(f"{answer.message or 'no description'} ({kind})", MAX_WORDS, hidden)] if answer.message or kind else []
    said += [line(f"{each.param}: {each.message}", MAX_WORDS, hidden) for each in answer.faults[:MAX_ERRORS]]
    said += [f"see {line(answer.doc_url, MAX_WORDS, hidden)}"] if answer.doc_url else []
    return "; ".join([f"the provider answered {answer.status}", *said])


def _meaning(answer: BirdAnswer) -> Meaning:
    by_class = _OF_CLASS.get(answer.status // 100, Meaning.DOUBT)
    if by_class in (Meaning.TAKEN, Meaning.DOUBT):
        return by_class  # whatever else it says, it may have been taken
    if any(_OPTED_OUT.search(each) for each in (answer.type, answer.code, answer.name)):
        return Meaning.NEVER
    return _OF_TYPE.get(answer.type) or _OF_STATUS.get(answer.status) or by_class


def _is_one_of(answer: BirdAnswer, known: frozenset[str]) -> bool:
    return not known.isdisjoint({answer.type, answer.code, answer.name})


def _refused(answer: BirdAnswer, parts: Sequence[Sequence[Msisdn]], hidden: Iterable[str]) -> Sequence[Outcome]:
    """Whom the answer names is refused, and the others spared; if it names nobody, they have to show for themselves."""
    reason, reasons = words(answer, hidden), _reasons(answer, hidden)
    if len(parts) == 1 and len(parts[0]) == 1:
        return [Refused(reason=reason)]
    outcomes: list[Outcome] = []
    start = 0
    for part in parts:
        places = range(start, start := start + len(part))
        named = tuple((to, reasons[place]) for to, place in zip(part, places, strict=True) if place in reasons)
        if named and len(part) > 1:
            outcomes.append(PartlyRefused(reasons=named))
        elif named:
            outcomes.append(Refused(reason=named[0][1]))
        else:
            outcomes.append(Spared(reason=reason))
    if all(isinstance(each, Spared) for each in outcomes):
        is_for_all = len(parts) == 1 and any(each.param in _ALIKE for each in answer.faults)
        return [Refused(reason=reason)] if is_for_all else unnamed(reason, len(parts))
    return outcomes


def unnamed(reason: str, count: int) -> Sequence[Outcome]:
    """The outcomes for the ``count`` messages of a request that was refused without a word of whom it was for."""
    return [Spared(reason=reason, half=place * 2 // count) for place in range(count)]


def _reasons(answer: BirdAnswer, hidden: Iterable[str]) -> Mapping[int, str]:
    """Why each message of the request that the answer names is refused, by its place."""
    reasons: dict[int, str] = {}
    for fault in answer.faults:
        if fault.element is not None:
            reasons.setdefault(fault.element, words(attrs.evolve(answer, faults=(fault,), doc_url=""), hidden))
    return reasons


def _faults(error: Mapping[str, Any]) -> Iterable[Fault]:
    details = error.get("details")
    given = [each for each in details if isinstance(each, Mapping)] if isinstance(details, list) else []
    if not given and _text(error, "param"):
        given = [error]
    for each in given:
        yield Fault(param=_text(each, "param"), message=_text(each, "message"))


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
