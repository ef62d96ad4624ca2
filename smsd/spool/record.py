"""Says how a message is written down in a row of SQL."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NamedTuple, overload

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.lifecycle import State
from smsd.core.message import Category, Event, Message, Priority, What
from smsd.core.report import Delivery, DeliveryStatus
from smsd.core.series import Joined, Series
from smsd.core.trace import Traceparent
from smsd.core.turns import Counts, Line

#: Version of the stored form. A change of it needs a reader for what was written before.
FORM: Final = 1

#: Fields that never change once a message is accepted, in the order of a row.
FIXED: Final = (
    "form",
    "id",
    "recipients",
    "originator",
    "body",
    "coding",
    "segments",
    "api_key",
    "accepted_at",
    "priority",
    "batch",
    "reference",
    "callback_url",
    "category",
    "traceparent",
)
#: Fields that tell what has become of it, in the order of a row.
LIFE: Final = (
    "valid_until",  # a replayed one has all the time there is
    "state",
    "changed_at",
    "not_before",
    "gateway",
    "attempts",
    "attempted_at",
    "tried_since",
    "bundle",
    "asks_first",
    "portion",
    "sent_at",
    "provider_id",
    "deliveries",
    "attend_at",
    "is_held",
    "error",
    "history",
)
FIELDS: Final = (*FIXED, *LIFE)

#: The values of FIELDS as SQL takes them, lists as JSON, and ``ready`` after them.
Row = tuple[Any, ...]

_PRIORITY: Final = FIELDS.index("priority")
_API_KEY: Final = FIELDS.index("api_key")
_ACCEPTED_AT: Final = FIELDS.index("accepted_at")
_NOT_BEFORE: Final = FIELDS.index("not_before")
_RECIPIENTS: Final = FIELDS.index("recipients")
_STATE: Final = FIELDS.index("state")
_PLACE: Final = itemgetter(_STATE, _PRIORITY, _API_KEY, -1)
_PRIORITIES: Final = tuple(Priority)
_STATES: Final = {each.value: each for each in State}
_QUEUED: Final = State.QUEUED.value
_JSON: Final = json.JSONEncoder(separators=(",", ":"))
#: The line of no message.
_NOBODYS: Final[Line] = (Priority.NORMAL, "")
#: A message in these states can be leased.
_LEASABLE: Final = frozenset({State.QUEUED, State.UNCERTAIN})


def to_row(message: Message) -> Row:
    """``message`` as a row."""
    return (*_fixed(message), *life(message))


class Rows(Sequence[Message]):
    """Messages in the rows that they are kept in; each is read when somebody looks at it."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        if isinstance(index, slice):
            return Rows(self.rows[index])
        return from_row(self.rows[index][: len(FIELDS)])


def rows_of(messages: Sequence[Message]) -> Sequence[Row]:
    """The rows of ``messages``."""
    match messages:
        case Rows(rows=rows):
            return rows
        case Series():
            return _series_rows(messages)
        case Joined(parts=parts):
            return list(chain.from_iterable(map(rows_of, parts)))
        case _:
            return [to_row(message) for message in messages]


def _series_rows(series: Series) -> Sequence[Row]:
    # What to_row would make of each, but what is the same in all of them is worked out once.
    originator, accepted_at, not_before = series.originator.text, series.accepted_at, series.not_before
    told = (series.api_key, accepted_at, int(series.priority), series.batch)
    alike = (
        series.callback_url,
        _category(series.category),
        _trace(series.trace),
        series.valid_until,
        _QUEUED,
        accepted_at,
        not_before,
        *_UNTOUCHED,
        int(not_before <= accepted_at),
    )
    return [
        (FORM, id, _numbers(to), originator, body, cut.coding.value, cut.parts, *told, reference, *alike)
        for id, (to, body, cut, reference) in zip(series.ids, series.variants, strict=True)
    ]


def life(message: Message) -> Row:
    """The end of the row of ``message``: what has become of it, and ``ready``."""
    events = [(event.at, event.state.value, event.what.value, event.detail) for event in message.history]
    return (
        message.valid_until,
        message.state.value,
        message.changed_at,
        message.not_before,
        message.gateway,
        message.attempts,
        message.attempted_at,
        message.tried_since,
        message.bundle,
        int(message.asks_first),
        message.portion,
        message.sent_at,
        message.provider_id,
        _JSON.encode([_delivery(each) for each in message.deliveries]) if message.deliveries else "[]",
        message.attend_at,
        int(message.is_held),
        message.error,
        _JSON.encode(events) if events else "[]",
        _ready(message),
    )


def from_row(row: Sequence[Any]) -> Message:
    """The message in ``row``, which holds the values of FIELDS. Raises ValueError if a newer smsd has written it."""
    form, id, recipients, originator, body, coding, segments, api_key, accepted_at, *more = row
    priority, batch, reference, callback_url, category, traceparent, valid_until, state, changed_at, *last = more
    not_before, gateway, attempts, attempted_at, tried_since, bundle, asks_first, portion, *rest = last
    sent_at, provider_id, deliveries, attend_at, is_held, error, history = rest
    if form != FORM:
        raise ValueError(f"this smsd reads form {FORM} of a stored message, not {form}")
    return Message(
        id=id,
        recipients=tuple(Msisdn(digits) for digits in json.loads(recipients)),
        originator=Originator(originator),
        body=body,
        coding=DataCoding(coding),
        segments=segments,
        api_key=api_key,
        accepted_at=accepted_at,
        priority=Priority(priority),
        category=Category(category) if category else None,
        batch=batch,
        reference=reference,
        valid_until=valid_until,
        callback_url=callback_url,
        trace=Traceparent(traceparent) if traceparent else None,
        state=State(state),
        changed_at=changed_at,
        not_before=not_before,
        gateway=gateway,
        attempts=attempts,
        attempted_at=attempted_at,
        tried_since=tried_since,
        bundle=bundle,
        asks_first=bool(asks_first),
        portion=portion,
        sent_at=sent_at,
        provider_id=provider_id,
        deliveries=tuple(_read_delivery(*each) for each in json.loads(deliveries)),
        attend_at=attend_at,
        is_held=bool(is_held),
        error=error,
        history=tuple(
            Event(at=at, state=State(state), what=What(what), detail=detail)
            for at, state, what, detail in json.loads(history)
        ),
    )


def _fixed(message: Message) -> Row:
    return (
        FORM,
        message.id,
        _numbers(message.recipients),
        message.originator.text,
        message.body,
        message.coding.value,
        message.segments,
        message.api_key,
        message.accepted_at,
        int(message.priority),
        message.batch,
        message.reference,
        message.callback_url,
        _category(message.category),
        _trace(message.trace),
    )


def _numbers(recipients: Sequence[Msisdn]) -> str:
    if len(recipients) == 1:  # as of most
        return f'["{recipients[0].digits}"]'
    return '["' + '","'.join([each.digits for each in recipients]) + '"]' if recipients else "[]"


def _category(category: Category | None) -> str:
    return "" if category is None else category.value


def _trace(trace: Traceparent | None) -> str:
    return "" if trace is None else trace.text


def _ready(message: Message) -> int | None:
    if message.state not in _LEASABLE or message.is_held:
        return None
    return int(is_ready(message))


def _delivery(delivery: Delivery) -> tuple[Any, ...]:
    code, network = delivery.error_code, delivery.network
    return delivery.recipient.digits, delivery.status.value, delivery.at, delivery.reason, code, network


def _read_delivery(digits: str, status: str, at: float, reason: str, code: int | None, network: str) -> Delivery:
    return Delivery(
        recipient=Msisdn(digits),
        status=DeliveryStatus(status),
        at=at,
        reason=reason,
        error_code=code,
        network=network,
    )


def line(row: Row) -> Line:
    """The line that the message in ``row`` belongs to."""
    return _PRIORITIES[row[_PRIORITY]], row[_API_KEY]


def not_before(row: Row) -> float:
    """The time of the message in ``row`` (UTC epoch seconds)."""
    at: float = row[_NOT_BEFORE]
    return at


def origin(row: Row) -> tuple[str, float]:
    """The name of the API key of the message in ``row``, and when it was accepted (UTC epoch seconds)."""
    return row[_API_KEY], row[_ACCEPTED_AT]


#: How many of some rows are in which state and line, and whether their time has come.
Places = Sequence[tuple[tuple[State, Line, bool], int]]


class Counted(NamedTuple):
    """What there is in some rows; made for each that comes."""

    where: Places
    first: Line  #: of the first row; nobody's if there is none
    recipients: int
    waiting: int  #: recipients of those that are queued

    @property
    def lines(self) -> Counts:
        """How many messages belong to each line."""
        if len(self.where) == 1:
            [((_, line, _), count)] = self.where
            return {line: count}
        counts = Counter[Line]()
        for (_, line, _), count in self.where:
            counts[line] += count
        return counts


def counted(rows: Sequence[Row]) -> Counted:
    """Count ``rows``."""
    where, asked = places(rows), _recipients(rows)
    are_queued = all(state is State.QUEUED for (state, _, _), _ in where)
    waiting = asked if are_queued else _recipients([row for row in rows if row[_STATE] == _QUEUED])
    return Counted(where, line(rows[0]) if rows else _NOBODYS, asked, waiting)


def places(rows: Sequence[Row]) -> Places:
    """Count ``rows`` by where they are."""
    if len(rows) == 1:  # as most that come: to count one takes longer than all else
        [row] = rows
        return [((_STATES[row[_STATE]], line(row), row[-1] == 1), 1)]
    counts = Counter(map(_PLACE, rows)).items()
    return [
        ((_STATES[state], (_PRIORITIES[priority], api_key), ready == 1), count)
        for (state, priority, api_key, ready), count in counts
    ]


def recipients(row: Row) -> int:
    """How many recipients the message in ``row`` has."""
    return _recipients([row])


def _recipients(rows: Sequence[Row]) -> int:
    texts = [row[_RECIPIENTS] for row in rows]
    return sum([text.count(",") + 1 if len(text) > 2 else 0 for text in texts])


def is_ready(message: Message) -> bool:
    """Whether the time of ``message`` had come already when it came into its state.

    That is the one "now" that a message carries.
    """
    return message.not_before <= message.changed_at and not message.is_held


#: The end of a life of which nothing has become yet: all behind ``not_before`` but ``ready``.
_UNTOUCHED: Final = life(
    Message(
        id="",
        recipients=(),
        originator=Originator(""),
        body="",
        coding=DataCoding.PLAIN,
        segments=1,
        api_key="",
        accepted_at=0.0,
        not_before=0.0,
    )
)[LIFE.index("gateway") : -1]
