"""Tells Sentry of dead letters, held gateways and errors that nobody handled."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import sentry_sdk
from sentry_sdk.transport import HttpTransport
from twisted.logger import ILogObserver
from zope.interface import implementer

from smsd.core.notice import Notice
from smsd.core.scrub import unnumbered
from smsd.reporting.outlet import LIMIT
from smsd.reporting.scrub import Keys, scrub
from smsd.reporting.troubles import GRAVE, Event, of_log, of_notice

#: Seconds for one request; ten thousand dead letters must not wait half a minute each.
TIMEOUT_S: Final = 5
#: All that an event may have. What the SDK, a plugin of it or its next version adds is cut off.
_ALLOWED: Final = (
    *("event_id", "timestamp", "platform", "level", "logger", "release", "environment", "server_name", "sdk"),
    *("message", "fingerprint", "exception", "tags"),
)
#: These are scrubbed.
_WORDS: Final = ("message", "fingerprint", "exception", "tags")
#: A message's id. It may have five digits in a row, and nothing else is found without it.
_ID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
#: The ids of a trace and of a call within it.
_HEX: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}", re.ASCII)
#: Values that name code: no quotations to take out of them.
_CODE: Final = frozenset({"function", "filename", "abs_path", "context_line", "module", "type"})


class Sentry:
    """A Sentry client of our own, not the SDK's global one: no integrations, no breadcrumbs, no local variables.

    To make an event takes a moment, so ``take`` belongs behind an Outlet.
    """

    def __init__(
        self,
        dsn: str,
        *,
        release: str,
        environment: str | None = None,
        node: str | None = None,
        keys: Iterable[str] = (),
    ) -> None:
        """Report to ``dsn`` as ``node``, by default this host; no event holds any of ``keys``.

        The ``environment`` is SENTRY_ENVIRONMENT or ``production`` when it is not given. Raises ValueError for a
        ``dsn`` that is none.
        """
        self._keys = Keys(keys)
        self._client = sentry_sdk.Client(
            dsn=dsn,
            release=release,
            environment=environment,
            server_name=node,
            transport=_Transport,
            transport_queue_size=LIMIT,
            before_send=self._last_look,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            send_client_reports=False,
            spotlight=False,
            debug=False,
        )
        self._transport = cast(_Transport, self._client.transport)  # the client forgets it when it is closed

    @property
    def drops(self) -> int:
        """How many events Sentry did not get: no room, no connection, or it did not want them."""
        return self._transport.drops

    def take(self, item: Notice | Event) -> None:
        """Queue for Sentry what ``item`` tells, if it is grave, with nothing private in it."""
        if not isinstance(item, Notice):
            self._capture(item)
        elif item.what in GRAVE:
            self._capture(of_notice(item))

    def flush(self, within_s: float) -> None:
        """Send what waits, for ``within_s`` seconds at most; blocks that long."""
        self._client.flush(timeout=within_s)

    def close(self, within_s: float) -> None:
        """Do the same, and stop."""
        self._client.close(timeout=within_s)

    def _capture(self, event: Any) -> None:
        self._client.capture_event(event)

    def _last_look(self, event: Any, hint: Any) -> Any:
        kept = {name: event[name] for name in _ALLOWED if name in event} | _trace(event)
        return kept | {name: self._scrubbed(kept[name]) for name in _WORDS if name in kept}

    def _scrubbed(self, value: Any, name: str = "") -> Any:
        match value:
            case str():
                return self._word(value, name)
            case Mapping():
                return {key: self._scrubbed(each, key) for key, each in value.items()}
            case list() | tuple():
                return [self._scrubbed(each, name) for each in value]
            case _:
                return value

    def _word(self, value: str, name: str) -> str:
        if name == "id" and _ID.fullmatch(value):
            return value
        if name in _CODE:
            return unnumbered(self._keys.without(value))
        return scrub(value, self._keys)


def _trace(event: Mapping[str, Any]) -> dict[str, Any]:
    """Of the contexts the trace alone, and of that what is an id: it may have digits in a row."""
    given = event.get("contexts", {}).get("trace", {})
    ids = {name: given[name] for name in ("trace_id", "span_id") if _HEX.fullmatch(str(given.get(name)))}
    return {"contexts": {"trace": ids}} if len(ids) == 2 else {}


@implementer(ILogObserver)
class SentryLog:
    """Passes on failures in the log, which is where Twisted puts every error that nobody handled."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        """``put`` is that of Sentry's outlet; it neither waits nor raises."""
        self._put = put

    def __call__(self, event: dict[str, Any]) -> None:
        """See ILogObserver."""
        trouble = of_log(event)
        if trouble is not None:
            self._put(trouble)


class _Transport(HttpTransport):
    """The SDK's, which counts what it loses."""

    TIMEOUT = TIMEOUT_S
    drops = 0

    def on_dropped_event(self, _reason: str) -> None:
        """Count one."""
        self.drops += 1
