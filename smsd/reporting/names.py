"""Names every metric, and says what each notice counts: the same for Prometheus and for Datadog."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from smsd.core.lifecycle import State
from smsd.core.message import Priority, What
from smsd.core.notice import Notice, Took

#: Upper bounds in seconds of what takes milliseconds: a commit, a turn of the reactor.
_SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
#: Upper bounds in seconds of what the provider or the pace makes wait.
_LONG: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
#: Counts by ``reporter`` what each of them did not get; see ``Fanout.drops``.
DROPS: Final = "smsd_reporter_drops"
#: Stands for a label's value that settings do not name, so that nobody outside can make labels up.
OTHER: Final = "other"


class Counter(enum.Enum):
    """What is counted; the values are name, what it counts, and labels."""

    ACCEPTED = ("smsd_accepted", "Messages that were kept and answered 200.", ("api_key",))
    ATTEMPTS = ("smsd_attempts", "Requests to a provider.", ("gateway",))
    SENT = ("smsd_sent", "Messages that the provider took.", ("api_key", "gateway"))
    DELIVERED = ("smsd_delivered", "Messages that every handset has.", ("api_key", "gateway"))
    UNDELIVERED = ("smsd_undelivered", "Messages that some handset will not get.", ("api_key", "gateway"))
    DEAD = ("smsd_dead", "Dead letters.", ("reason", "api_key", "gateway"))
    EXPIRED = ("smsd_expired", "Messages whose validity ended while they waited.", ())
    CANCELED = ("smsd_canceled", "Messages that were called back.", ())
    REPLAYED = ("smsd_replayed", "Dead letters that were put back into the queue.", ())
    POSTPONED = ("smsd_postponed", "Attempts that the provider put off.", ("gateway",))
    HELD_BACK = ("smsd_held_back", "Attempts that failed because the provider takes nothing from us.", ("gateway",))
    UNCERTAIN = ("smsd_uncertain", "Attempts of which nobody knows whether the provider has them.", ("gateway",))
    AGAIN = ("smsd_again", "Uncertain messages that were put back into the queue.", ("gateway",))
    DROPPED = ("smsd_dropped", "Requests that were turned away because the backlog was full.", ())
    FAULTS = ("smsd_faults", "Things of ours that did not work and are tried again.", ())

    RECEIVED = ("smsd_received", "Incoming messages.", ())
    CALLBACKS_FAILED = ("smsd_callbacks_failed", "Posts that a receiver did not take.", ())

    def __init__(self, base: str, doc: str, labels: tuple[str, ...]) -> None:
        self.base = base  #: without ``_total``
        self.doc = doc
        self.labels = labels

    __hash__ = object.__hash__  # a member is the only one of its value; enum's own hash is a function in Python


class Timing(enum.Enum):
    """What is timed, in seconds; the values are name, meaning, labels, and the buckets' upper bounds."""

    SEND = ("smsd_send_seconds", "From accepted to taken by the provider.", (), _LONG)
    PROVIDER = ("smsd_provider_seconds", "From an attempt to what came of it.", ("gateway",), _LONG)
    ACCEPT = ("smsd_accept_seconds", "From a request to its answer.", (), _SHORT)
    COMMIT = ("smsd_commit_seconds", "One commit of the spool.", (), _SHORT)
    THROTTLE = ("smsd_throttle_wait_seconds", "What a send waited for its permit.", (), _LONG)
    REACTOR = ("smsd_reactor_lag_seconds", "How late the reactor called.", (), _SHORT)
    SNAPSHOT = ("smsd_snapshot_seconds", "One snapshot of what is in a stream, until it is kept.", (), _LONG)

    def __init__(self, full: str, doc: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> None:
        self.full = full
        self.doc = doc
        self.labels = labels
        self.buckets = buckets

    __hash__ = object.__hash__  # a member is the only one of its value; enum's own hash is a function in Python


#: What notices tell of; everything else is measured.
NOTICED: Final = frozenset({Timing.SEND, Timing.PROVIDER})
_OF: Final = {took: Timing[took.name] for took in Took}

#: Gauges, with what they mean.
GAUGES: Final[Mapping[str, str]] = {
    "smsd_held": "1 while a gateway is held, 0 while it takes messages.",
    "smsd_depth": "Messages by state and priority.",
    "smsd_oldest_seconds": "Age of the oldest message that waits and whose time has come; 0 when none does.",
    "smsd_eta_seconds": "Seconds until the last message that waits should leave.",
    "smsd_pace_used": "Requests to the provider a second, over the last minute.",
    "smsd_pace_allowed": "Requests to the provider that are agreed, a second.",
    "smsd_build_info": "1, with the versions that run.",
}


@attrs.frozen(kw_only=True)
class Snapshot:
    """What can only be seen by looking, at one moment."""

    depth: Mapping[tuple[State, Priority], int]  #: messages; what is missing is 0
    oldest_s: float  #: seconds that the oldest of what is due has waited
    eta_s: float  #: seconds until the last that waits should leave
    pace_used: float  #: requests a second, over the last minute
    pace_allowed: float  #: requests a second
    drops: Mapping[str, int] = attrs.Factory(dict)  #: by the reporter's name

    def plain(self) -> dict[str, float]:
        """The gauges without labels, by name."""
        return {
            "smsd_oldest_seconds": self.oldest_s,
            "smsd_eta_seconds": self.eta_s,
            "smsd_pace_used": self.pace_used,
            "smsd_pace_allowed": self.pace_allowed,
        }


@attrs.frozen(kw_only=True)
class Measured:
    """Durations that no notice tells of."""

    timing: Timing  #: one without labels
    seconds: Sequence[float]

    @classmethod
    def of(cls, took: Took, seconds: Sequence[float]) -> "Measured":
        """What ``took`` so many ``seconds``, each time."""
        return cls(timing=_OF[took], seconds=seconds)


@attrs.frozen(kw_only=True)
class Known:
    """The values that labels may have, as settings name them."""

    api_keys: frozenset[str]
    gateways: tuple[str, ...]  #: the first is meant by a notice that names none

    def place(self, notice: Notice) -> tuple[str, str]:
        """API key and gateway of ``notice``, each bounded."""
        message = notice.message
        key = OTHER if message is None else message.api_key
        named = notice.gateway if message is None else message.gateway
        gateway = named or self.gateways[0]
        return key if key in self.api_keys else OTHER, gateway if gateway in self.gateways else OTHER


def labels(names: tuple[str, ...], what: What, place: tuple[str, str]) -> dict[str, str]:
    """The labels called ``names`` of a notice of ``what`` at ``place`` (see Known)."""
    values = {"api_key": place[0], "gateway": place[1], "reason": what.value.replace(" ", "_")}
    return {name: values[name] for name in names}


#: What each notice counts. Held and released are a gauge.
COUNTED: Final[Mapping[What, Counter | None]] = {
    What.ACCEPTED: Counter.ACCEPTED,
    What.ATTEMPT: Counter.ATTEMPTS,
    What.SENT: Counter.SENT,
    What.FOUND: Counter.SENT,
    What.POSTPONED: Counter.POSTPONED,
    What.REFUSED: Counter.DEAD,
    What.OUT_OF_TRIES: Counter.DEAD,
    What.PARTLY_REFUSED: Counter.AGAIN,
    What.PARTLY_SENT: Counter.AGAIN,
    What.REPEATED: Counter.AGAIN,
    What.UNANSWERED: Counter.UNCERTAIN,
    What.INTERRUPTED: Counter.UNCERTAIN,
    What.NOT_FOUND: Counter.AGAIN,
    What.UNTOLD: Counter.AGAIN,
    What.HELD_BACK: Counter.HELD_BACK,
    What.DELIVERED: Counter.DELIVERED,
    What.UNDELIVERED: Counter.UNDELIVERED,
    What.EXPIRED: Counter.EXPIRED,
    What.CANCELED: Counter.CANCELED,
    What.REPLAYED: Counter.REPLAYED,
    What.DROPPED: Counter.DROPPED,
    What.HELD: None,
    What.RELEASED: None,
    What.FAULT: Counter.FAULTS,
    What.RECEIVED: Counter.RECEIVED,
    What.CALLBACK_FAILED: Counter.CALLBACKS_FAILED,
    What.STALE: None,
    What.MOVED: None,  # no daemon does that
}
#: What comes straight from the provider's answer to an attempt.
_ANSWERS: Final = frozenset({What.SENT, What.POSTPONED, What.REFUSED, What.UNANSWERED, What.HELD_BACK})


def timed(notice: Notice) -> Iterator[tuple[Timing, float]]:
    """What ``notice`` tells of durations, in seconds; never negative, though the wall clock was set back."""
    message = notice.message
    if message is None:
        return
    if notice.what is What.SENT:
        yield Timing.SEND, max(0.0, notice.at - message.accepted_at)
    if notice.what in _ANSWERS and message.attempted_at is not None:
        yield Timing.PROVIDER, max(0.0, notice.at - message.attempted_at)
