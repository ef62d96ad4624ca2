"""Reads the trace that a request is part of, as W3C Trace Context writes it."""

import re
from typing import Any, Final

import attrs

#: W3C Trace Context 3.2: ``version "-" trace-id "-" parent-id "-" trace-flags``, all in lower-case hexadecimal digits;
#: a version after 00 may have more behind another hyphen.
_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL)
#: 3.2.2.1: "Version ff is invalid."
_INVALID: Final = "ff"
#: 3.2.2.3 and 3.2.2.4: of both ids "all bytes as zero" are invalid.
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
#: 3.2.2.5: the one flag that version 00 knows.
_SAMPLED: Final = 0x01


@attrs.frozen
class Traceparent:
    """Which trace a message belongs to, and whose call within it brought the message."""

    text: str  #: the header as it is passed on, of version 00: 55 characters

    @classmethod
    def parse(cls, header: str) -> "Traceparent | None":
        """Read a ``traceparent`` header; None for one that the standard says to ignore.

        A later version is read as far as version 00 goes, and passed on as that (3.2.4).
        """
        match = _FORM.fullmatch(header)
        if match is None:
            return None
        version, trace_id, span_id, flags, more = match.groups()
        if version == _INVALID or trace_id == _NO_TRACE or span_id == _NO_SPAN:
            return None
        if version == "00":
            return None if more else cls(header)
        return cls(f"00-{trace_id}-{span_id}-{int(flags, 16) & _SAMPLED:02x}")

    @property
    def trace_id(self) -> str:
        """Of the whole trace: 32 hexadecimal digits."""
        return self.text[3:35]

    @property
    def span_id(self) -> str:
        """Of the client's call: 16 hexadecimal digits."""
        return self.text[36:52]


def log_fields(trace: Traceparent | None) -> dict[str, Any]:
    """How a log line names ``trace``: as OpenTelemetry has it, "Trace Context in non-OTLP Log Formats"."""
    return {} if trace is None else {"trace_id": trace.trace_id, "span_id": trace.span_id}
