"""Writes what happens to the log: text for people at a terminal, a JSON line each elsewhere."""

import json
from typing import Any, Final, TextIO

from twisted.logger import FileLogObserver, ILogObserver, Logger, LogLevel, formatEvent
from zope.interface import implementer

from smsd.core.message import What
from smsd.core.moment import moment
from smsd.core.notice import Notice
from smsd.core.scrub import hide
from smsd.core.trace import log_fields
from smsd.ports import IReporter

#: What deserves more than "info".
_LEVELS: Final = {
    What.UNANSWERED: LogLevel.warn,
    What.INTERRUPTED: LogLevel.warn,
    What.REFUSED: LogLevel.warn,
    What.OUT_OF_TRIES: LogLevel.warn,
    What.EXPIRED: LogLevel.warn,
    What.DROPPED: LogLevel.warn,
    What.CALLBACK_FAILED: LogLevel.warn,
    What.STALE: LogLevel.critical,
    What.FAULT: LogLevel.error,
    What.HELD: LogLevel.critical,
}
#: The format of an event whose text lies in it, under ``line``.
_READY: Final = "{line}"
_JSON: Final = json.JSONEncoder(default=str)
_TEXT: Final = json.encoder.encode_basestring_ascii
#: Fields of an event that go into a JSON line beside its time, level and text.
_FIELDS: Final = ("notice", "id", "state", "recipient", "attempts", "detail", "trace_id", "span_id")


@implementer(IReporter)
class LogReporter:
    """One log line a notice, with the message's id, and never a whole number, a text or a key."""

    _log = Logger(namespace="smsd")

    def report(self, notice: Notice) -> None:
        """See IReporter."""
        level = _LEVELS.get(notice.what, LogLevel.info)
        message = notice.message
        if message is None:
            detail = hide(notice.detail)
            self._log.emit(level, "{notice}: {detail}", notice=notice.what.value, detail=detail)
            return
        fields: dict[str, Any] = {
            "notice": notice.what.value,
            "id": message.id,
            "state": message.state.value,
            "recipient": message.recipients[0].masked(),
            "attempts": message.attempts,
            "detail": hide(notice.detail),
            **log_fields(message.trace),
        }
        text = f"{message.id} {fields['notice']} to {fields['recipient']}, attempt {message.attempts}"
        line = f"{text}: {fields['detail']}" if notice.detail else text
        line += f" [trace {fields['trace_id']}]" if message.trace is not None else ""
        # Put together here: at 500 messages a second the logger's way of doing it takes a tenth of all the time.
        self._log.emit(level, _READY, line=line, **fields)


def observer(stream: TextIO, as_json: bool) -> ILogObserver:
    """A log observer that writes to ``stream``, JSON lines or text."""
    line = _json_line if as_json else _text_line
    written: ILogObserver = FileLogObserver(stream, line)
    return written


def _text_line(event: dict[str, Any]) -> str:
    text = _text(event).replace("\n", "\n\t")
    return f"{_time(event)} {event['log_level'].name:<8} {text}\n"


def _json_line(event: dict[str, Any]) -> str:
    line = {"time": _time(event), "level": event["log_level"].name, "logger": event.get("log_namespace")}
    line |= {field: event[field] for field in _FIELDS if field in event}
    line["message"] = _text(event)
    # Not the encoder as a whole: it would take three times as long, most of it to set itself up.
    return f"{{{', '.join([f'{_TEXT(name)}: {_value(value)}' for name, value in line.items()])}}}\n"


def _value(value: Any) -> str:
    if type(value) is str:
        return _TEXT(value)
    return str(value) if type(value) is int else _JSON.encode(value)


def _time(event: dict[str, Any]) -> str:
    return moment(event["log_time"])


def _text(event: dict[str, Any]) -> str:
    text = event["line"] if event.get("log_format") is _READY else formatEvent(event)
    failure = event.get("log_failure")
    return text if failure is None else f"{text}\n{failure.getTraceback().rstrip()}"
