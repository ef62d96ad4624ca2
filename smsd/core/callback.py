"""Says which callbacks are owed, and what becomes of each, given what its receiver answered."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, assert_never

import attrs

from smsd.core.lifecycle import TRANSITIONS
from smsd.core.message import Message
from smsd.core.moment import moment
from smsd.core.report import Inbound
from smsd.core.retry import Backoff
from smsd.core.trace import Traceparent
from smsd.core.view import facts, received_facts

#: Seconds after its creation at which a callback that keeps failing is given up.
GIVE_UP_S: Final = 86_400.0


@attrs.frozen(kw_only=True)
class Callback:
    """One change of state that its receiver is owed. Raises ValueError for an ``id`` that could not be signed."""

    #: the same over all tries, sent as ``webhook-id``; no full stop, "to prevent certain attacks" (Standard Webhooks)
    id: str = attrs.field(validator=attrs.validators.matches_re(r"[A-Za-z0-9_-]{1,100}"))
    url: str  #: where it is posted, as ``receiver.check_url`` takes it
    body: bytes  #: JSON, the octets that are signed and posted
    api_key: str  #: the name of the API key whose secrets sign it
    created_at: float  #: UTC epoch seconds
    trace: Traceparent | None = None  #: the trace that its message was accepted in; sent as ``traceparent``
    attempts: int = 0  #: tries that failed
    not_before: float = 0.0  #: UTC epoch seconds; its next try is not before this

    @property
    def message_id(self) -> str:
        """The id of the message that it tells of."""
        return self.id.partition("-")[0]


@attrs.frozen(kw_only=True)
class Delivered:
    """The receiver has it."""


@attrs.frozen(kw_only=True)
class Gone:
    """The receiver wants no more (410)."""


@attrs.frozen(kw_only=True)
class Failed:
    """The receiver surely or perhaps does not have it; it may be tried again."""

    reason: str  #: in words fit for a log: the host at most, never the rest of the URL
    retry_after_s: float | None = None  #: seconds the receiver asked us to wait


Answered = Delivered | Gone | Failed


def owed(was: Message, after: Message) -> tuple[Callback, ...]:
    """The callbacks for the step from ``was`` to ``after``, one a change of state; none if nobody asked."""
    if not after.callback_url or was.state is after.state:
        return ()
    if after.state in TRANSITIONS[was.state]:
        return (_told(after),)
    # Two at once: a final report on a message that was in doubt shows first of all that the provider has it.
    between = attrs.evolve(after, state=after.history[-2].state, deliveries=was.deliveries, error="")
    return _told(between), _told(after)


def _told(after: Message) -> Callback:
    state, at = after.state.value, after.changed_at
    return Callback(
        # The same if the step is taken again, as an engine that rebuilds itself does.
        id=f"{after.id}-{state}-{at * 1000:.0f}",
        url=after.callback_url,
        body=_body(f"sms.{state}", at, facts(after)),
        api_key=after.api_key,
        created_at=at,
        trace=after.trace,
        not_before=at,
    )


def passed_on(inbound: Inbound, url: str, api_key: str, now: float) -> Callback:
    """The callback that tells ``url`` of an incoming message; ``api_key`` names the key whose secrets sign it."""
    id = hashlib.sha256(inbound.id.encode()).hexdigest()[:26]  # theirs, which may have any characters
    body = _body("sms.received", inbound.received_at, received_facts(inbound))
    return Callback(id=f"in-{id}", url=url, body=body, api_key=api_key, created_at=now, not_before=now)


def settle_callback(
    callback: Callback, answered: Answered, now: float, backoff: Backoff, draw: float
) -> Callback | None:
    """The callback as it waits for its next try, or None when it is finished; ``draw`` is uniform in [0, 1).

    Finished is what was delivered, what the receiver calls gone, and what still fails a day after its creation. No
    wait leads past that day: the last try is made at its end, whatever the receiver asked for.
    """
    match answered:
        case Delivered() | Gone():
            return None
        case Failed(retry_after_s=retry_after_s):
            give_up_at = callback.created_at + GIVE_UP_S
            if now >= give_up_at:
                return None
            failures = callback.attempts + 1
            wait_s = max(backoff.delay_s(failures, draw), retry_after_s or 0.0)
            return attrs.evolve(callback, attempts=failures, not_before=min(now + wait_s, give_up_at))
    assert_never(answered)


def _body(kind: str, at: float, data: Mapping[str, Any]) -> bytes:
    # Standard Webhooks, "Payload structure": type, timestamp, data.
    return json.dumps({"type": kind, "timestamp": moment(at), "data": data}, separators=(",", ":")).encode()
