"""Turns what goes wrong into events as Sentry takes them, with nothing private in them."""

import linecache
import re
import sqlite3
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.python.failure import Failure

from smsd.core.errors import SmsdError
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.trace import log_fields
from smsd.reporting.scrub import pattern, scrub, without_text

#: An event of Sentry's, before it is scrubbed for the last time.
Event = dict[str, Any]
#: What deserves an event, and how grave it is.
GRAVE: Final = {What.REFUSED: "error", What.OUT_OF_TRIES: "error", What.HELD: "fatal"}
#: Errors whose words are about machines. Any other may quote what it could not digest: only its type is told. Those
#: of the system's have words of their own in ``strerror``; requests derives from OSError what quotes whole URLs.
_PLAIN: Final = (SmsdError, sqlite3.Error, ConnectError, ConnectionClosed)
#: How the gateways word a status and a code; a longer one may be anything.
_CODES: Final = re.compile(r"answered \d{3}\b|\(code \d{1,4}\)|\bE\d{5}\b", re.ASCII)
#: How a reason begins that goes on in the provider's words.
_ANSWERED: Final = re.compile(r"the provider answered \d{3}(?=; )", re.ASCII)
#: Causes of causes that are told.
_MAX_CHAIN: Final = 5
#: Innermost frames that are told.
_MAX_FRAMES: Final = 50


def of_notice(notice: Notice) -> Event:
    """The event of a dead letter or of a held gateway; one outage is one issue, however many messages it hits."""
    message = notice.message
    words = scrub(told(notice))
    gateway = message.gateway if message is not None else ""
    tags = {"notice": notice.what.value, "gateway": gateway}
    if message is not None:
        tags |= {"id": message.id, "state": message.state.value, "api_key": message.api_key}
    return _traced(log_fields(None if message is None else message.trace)) | {
        "level": GRAVE[notice.what],
        "timestamp": notice.at,
        "logger": "smsd",
        "message": f"{notice.what.value}: {words}",
        "fingerprint": ["smsd", notice.what.value, gateway, *(_CODES.findall(notice.detail) or [pattern(words)])],
        "tags": {name: value for name, value in tags.items() if value},
    }


def told(notice: Notice) -> str:
    """Why ``notice`` came about, before it is scrubbed.

    Of a message, without its text and numbers. Without one, nobody can tell what the provider quotes: of its words only
    the codes are left.
    """
    message = notice.message
    if message is not None:
        numbers = [*(each.digits for each in message.recipients), message.originator.text]
        return without_text(notice.detail, message.body, numbers)
    status = _ANSWERED.match(notice.detail)
    return notice.detail if status is None else " ".join([status[0], *_CODES.findall(notice.detail)[1:]])


def of_log(event: dict[str, Any]) -> Event | None:
    """The event of a log event with a failure, new or legacy; None if it has none.

    The log event's own fields are left out, and its words are taken as they stand in the program, unfilled.
    """
    failure = event.get("log_failure") or event.get("failure")
    if not isinstance(failure, Failure):
        return None
    chain = list(_chain(failure.value)) if isinstance(failure.value, BaseException) else []
    values = [_exception(error, list(_frames_of(error))) for error in reversed(chain[1:])]
    values.append(_exception(failure.value, [frame[:3] for frame in failure.frames][-_MAX_FRAMES:]))
    told = event.get("log_format") if "log_failure" in event and "log_legacy" not in event else event.get("why")
    return _traced(event) | {
        "level": "fatal" if getattr(event.get("log_level"), "name", "") == "critical" else "error",
        "timestamp": event.get("log_time") or event.get("time"),
        "logger": str(event.get("log_namespace") or "twisted"),
        "message": str(told or "an error that nobody handled"),
        "exception": {"values": values},
        "tags": _tags(event),
    }


def _tags(event: dict[str, Any]) -> dict[str, str]:
    return {name: str(event[name]) for name in ("id", "state") if isinstance(event.get(name), str)}


def _traced(fields: Mapping[str, Any]) -> Event:
    """The beginning of an event that shows in the trace that ``fields`` (of a log event, see log_fields) name."""
    names = ("trace_id", "span_id")
    if not all(isinstance(fields.get(name), str) for name in names):
        return {}
    return {"contexts": {"trace": {name: fields[name] for name in names}}}


def _chain(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if at is None:
            return
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _frames_of(error: BaseException) -> Iterator[tuple[str, str, int]]:
    for frame, line in list(traceback.walk_tb(error.__traceback__))[-_MAX_FRAMES:]:
        yield frame.f_code.co_name, frame.f_code.co_filename, line


def _exception(error: Any, frames: list[tuple[str, str, int]]) -> Event:
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "value": _words(error),
        "mechanism": {"type": "twisted", "handled": False},
        "stacktrace": {"frames": [_frame(*frame) for frame in frames]},
    }


def _words(error: Any) -> str:
    if isinstance(error, _PLAIN):
        return scrub(str(error))
    if isinstance(error, OSError) and error.strerror:
        return scrub(error.strerror)  # without the names of files and hosts
    return "[left out: it may quote a message]"


def _frame(function: str, path: str, line: int) -> Event:
    return {
        "function": function,
        "filename": path.rpartition("/")[2],
        "abs_path": path,
        "lineno": line,
        "context_line": linecache.getline(path, line).rstrip(),
        "in_app": "/smsd/" in path,
    }
