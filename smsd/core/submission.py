"""What a client asks for, parsed: past this, nobody checks a text again."""

from collections.abc import Callable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any, Final

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding, NotEncodable
from smsd.core.errors import InvalidAddress, InvalidSubmission
from smsd.core.message import MAX_RECIPIENTS, Category, Priority
from smsd.core.moment import a_year_after, read_moment
from smsd.core.receiver import check_url
from smsd.core.segments import MAX_PARTS, Segmentation, segment
from smsd.core.series import Series, Variant
from smsd.core.trace import Traceparent

#: Where something stands in a body: the field, and the index within it where there is one.
Path = tuple[str | int, ...]

#: Seconds that ``send_at`` may lie in the past, or beyond a year ahead, for clocks that disagree a little.
PAST_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Submission:
    """One SMS as a client asks for it, and others that are like it."""

    recipients: tuple[Msisdn, ...]  #: each once
    originator: Originator
    body: str
    segmentation: Segmentation
    priority: Priority
    category: Category | None  #: what it is for; None when the client does not say
    reference: str  #: the client's own word for it
    send_at: float | None  #: UTC epoch seconds
    validity_s: int | None  #: seconds from the moment it may first go
    callback_url: str  #: where its changes of state are posted; empty when the client names nothing
    others: Sequence[Variant] = ()  #: SMS that differ from this one, which has one recipient, only in what they say

    @classmethod
    def parse(
        cls,
        fields: Mapping[str, Any],
        now: float,
        known_bad: Set[Path] = frozenset(),
        *,
        allow_private: bool = False,
    ) -> "Submission":
        """Read the fields of a body at ``now``; what is ``known_bad`` already, by the schema, is passed over.

        A callback may lead to a private address only if ``allow_private``. Raises InvalidSubmission with every bad
        part, the known ones too.
        """
        if not known_bad:
            try:
                return cls._read(fields, now, allow_private)
            except (InvalidAddress, _Unsendable, ValueError):
                pass  # what exactly is wrong, and what else, is looked for below
        raise InvalidSubmission(paths=_faults(fields, now, known_bad, allow_private))

    @classmethod
    def _read(cls, fields: Mapping[str, Any], now: float, allow_private: bool) -> "Submission":
        send_at, callback_url = fields.get("send_at"), fields.get("callback_url")
        return cls(
            recipients=_recipients(fields),
            originator=_originator(fields["originator"]),
            body=fields["message"],
            segmentation=_cut(fields["message"], fields.get("datacoding", "auto")),
            priority=_PRIORITIES[fields.get("priority", "normal")],
            category=_CATEGORIES[fields.get("category")],
            reference=fields.get("reference", ""),
            send_at=None if send_at is None else _send_at(send_at, now),
            validity_s=fields.get("validity"),
            callback_url="" if callback_url is None else _callback_url(callback_url, allow_private),
        )

    @property
    def size(self) -> int:
        """How many recipients it has, with those of the others."""
        return len(self.recipients) + len(self.others)

    def messages(
        self,
        *,
        new_id: Callable[[], str],
        api_key: str,
        now: float,
        callback_url: str = "",
        trace: Traceparent | None = None,
    ) -> tuple[Sequence[str], Series]:
        """The id of each SMS, and the messages that they become when they are accepted at ``now``.

        One message carries up to MAX_RECIPIENTS. ``api_key`` is the name of the key that it came under,
        ``callback_url`` that key's own, for when the client names none, and ``trace`` the one of the request.
        """
        first = now if self.send_at is None else max(now, self.send_at)
        ids: Sequence[str] = [new_id()]
        told, batch = ids, ""
        variants: Sequence[Variant] = [Variant(self.recipients, self.body, self.segmentation, self.reference)]
        if self.others:
            told = ids = [*ids, *[new_id() for _ in self.others]]
            variants = [*variants, *self.others]
        elif len(self.recipients) > MAX_RECIPIENTS:
            starts = range(0, len(self.recipients), MAX_RECIPIENTS)
            parts = [self.recipients[start : start + MAX_RECIPIENTS] for start in starts]
            variants = [variants[0]._replace(recipients=part) for part in parts]
            batch, ids = told[0], [new_id() for _ in parts]
        return told, Series(
            ids=ids,
            variants=variants,
            originator=self.originator,
            priority=self.priority,
            category=self.category,
            api_key=api_key,
            accepted_at=now,
            not_before=first,
            valid_until=None if self.validity_s is None else first + self.validity_s,
            batch=batch,
            callback_url=self.callback_url or callback_url,
            trace=trace,
        )


def variant(fields: Mapping[str, Any]) -> Variant | None:
    """The SMS in ``fields``, which the schema takes, and which differ from a good one's only in what a Variant has.

    None if it is bad all the same.
    """
    try:
        recipient = Msisdn.parse(fields["recipient"])
        segmentation = _cut(fields["message"], fields.get("datacoding", "auto"))
    except (InvalidAddress, _Unsendable):
        return None
    return Variant((recipient,), fields["message"], segmentation, fields.get("reference", ""))


_PRIORITIES: Final = {priority.name.lower(): priority for priority in Priority}
_CATEGORIES: Final[Mapping[str | None, Category | None]] = {None: None, **{each.value: each for each in Category}}
_CODINGS: Final = {"auto": None, "plain": DataCoding.PLAIN, "unicode": DataCoding.UNICODE}


class _Unsendable(Exception):
    """A text that cannot be sent so, and the field that is at fault."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def _recipients(fields: Mapping[str, Any]) -> tuple[Msisdn, ...]:
    if "recipients" in fields:
        return tuple(dict.fromkeys([Msisdn.parse(each) for each in fields["recipients"]]))
    return (Msisdn.parse(fields["recipient"]),)


def _cut(text: str, datacoding: str) -> Segmentation:
    """How ``text`` is cut: the two fields that it depends on are judged together."""
    try:
        segmentation = segment(text, _CODINGS[datacoding])
    except NotEncodable:
        raise _Unsendable("datacoding") from None
    if segmentation.parts > MAX_PARTS:
        raise _Unsendable("message")
    return segmentation


def _faults(fields: Mapping[str, Any], now: float, known_bad: Set[Path], allow_private: bool) -> tuple[Path, ...]:
    """What is bad in ``fields``: what is ``known_bad``, which is not looked at again, and what else is."""
    bad = dict.fromkeys(known_bad)

    def judge(parse: Callable[[Any], Any], value: Any, *path: str | int) -> None:
        if path in bad:
            return
        try:
            parse(value)
        except _Unsendable as unsendable:
            bad[unsendable.field,] = None
        except (InvalidAddress, ValueError):
            bad[path] = None

    if "recipients" not in fields:
        judge(Msisdn.parse, fields.get("recipient"), "recipient")
    elif ("recipients",) not in bad:
        for index, value in enumerate(fields["recipients"]):
            judge(Msisdn.parse, value, "recipients", index)
    judge(_originator, fields.get("originator"), "originator")
    datacoding = "auto" if ("datacoding",) in bad else fields.get("datacoding", "auto")
    judge(lambda text: _cut(text, datacoding), fields.get("message"), "message")
    if "send_at" in fields:
        judge(lambda text: _send_at(text, now), fields["send_at"], "send_at")
    if "callback_url" in fields:
        judge(lambda url: _callback_url(url, allow_private), fields["callback_url"], "callback_url")
    return tuple(bad)


# A client has few.
@lru_cache(maxsize=1024)
def _originator(text: str) -> Originator:
    return Originator.parse(text)


def _send_at(text: str, now: float) -> float:
    at = read_moment(text)
    if not now - PAST_S <= at <= a_year_after(now) + PAST_S:
        raise ValueError
    return at


def _callback_url(url: str, allow_private: bool) -> str:
    check_url(url, allow_private=allow_private)
    return url
