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
        reader = _Reader(fields, known_bad)
        recipients = reader.recipients()
        originator = reader.read("originator", _originator)
        segmentation = reader.segmentation()
        send_at = callback_url = None
        if "send_at" in fields:
            send_at = reader.read("send_at", lambda text: _send_at(text, now))
        if "callback_url" in fields:
            callback_url = reader.read("callback_url", lambda url: _callback_url(url, allow_private))
        if reader.bad:
            raise InvalidSubmission(paths=tuple(reader.bad))
        return cls(
            recipients=recipients,
            originator=originator,
            body=fields["message"],
            segmentation=segmentation,
            priority=_PRIORITIES[fields.get("priority", "normal")],
            category=_CATEGORIES[fields.get("category")],
            reference=fields.get("reference", ""),
            send_at=send_at,
            validity_s=fields.get("validity"),
            callback_url=callback_url or "",
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
    except InvalidAddress:
        return None
    text = fields["message"]
    segmentation, _ = _cut(text, _CODINGS[fields.get("datacoding", "auto")])
    if segmentation is None:
        return None
    return Variant((recipient,), text, segmentation, fields.get("reference", ""))


class _Reader:
    """Reads fields one by one and remembers the bad ones."""

    def __init__(self, fields: Mapping[str, Any], known_bad: Set[Path]) -> None:
        self._fields = fields
        self.bad: dict[Path, None] = dict.fromkeys(known_bad)

    def read(self, field: str, parse: Callable[[Any], Any]) -> Any:
        """The parsed value of ``field``; None when it is absent or bad."""
        return self._parsed(self._fields[field], parse, field) if field in self._fields else None

    def recipients(self) -> tuple[Msisdn, ...]:
        """Each recipient once, in the order given."""
        if "recipients" not in self._fields:
            return (self.read("recipient", Msisdn.parse),)
        if ("recipients",) in self.bad:
            return ()
        numbered = enumerate(self._fields["recipients"])
        given = [self._parsed(value, Msisdn.parse, "recipients", index) for index, value in numbered]
        return tuple(dict.fromkeys(given))

    def segmentation(self) -> Any:
        """How the text is to be cut: the two fields that it depends on are judged together."""
        coding = self.read("datacoding", _CODINGS.__getitem__)
        if self.bad and ("message",) in self.bad:
            return None
        segmentation, fault = _cut(self._fields["message"], coding)
        if fault is not None:
            self.bad[fault,] = None
        return segmentation

    def _parsed(self, value: Any, parse: Callable[[Any], Any], *path: str | int) -> Any:
        if self.bad and path in self.bad:
            return None
        try:
            return parse(value)
        except (InvalidAddress, ValueError):
            self.bad[path] = None


_PRIORITIES: Final = {priority.name.lower(): priority for priority in Priority}
_CATEGORIES: Final[Mapping[str | None, Category | None]] = {None: None, **{each.value: each for each in Category}}
_CODINGS: Final = {"auto": None, "plain": DataCoding.PLAIN, "unicode": DataCoding.UNICODE}


def _cut(text: str, coding: DataCoding | None) -> tuple[Segmentation | None, str | None]:
    """How ``text`` is cut; or None, and which field is at fault that it cannot be sent so."""
    try:
        segmentation = segment(text, coding)
    except NotEncodable:
        return None, "datacoding"
    return (segmentation, None) if segmentation.parts <= MAX_PARTS else (None, "message")


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
