"""A trace is taken over as W3C Trace Context has it, and one that is malformed is as none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.trace import Traceparent, log_fields

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize("flags", ["00", "01", "09", "ff"])
def test_a_trace_is_passed_on_as_it_came(flags: str) -> None:
    trace = Traceparent.parse(f"00-{TRACE}-{SPAN}-{flags}")
    assert trace is not None
    assert (trace.text, trace.trace_id, trace.span_id) == (f"00-{TRACE}-{SPAN}-{flags}", TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-what-comes-later",
        f"00-{TRACE}-{SPAN}-01.",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"0-{TRACE}-{SPAN}-01",
        f".0-{TRACE}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"FF-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.what-comes-later",
        f"cc-{TRACE}-{SPAN}-0",
        f"00-{TRACE}-{SPAN}-0١",
    ],
)
def test_a_malformed_header_is_ignored(header: str) -> None:
    assert Traceparent.parse(header) is None


@pytest.mark.parametrize(
    ("later", "passed_on"),
    [
        (f"01-{TRACE}-{SPAN}-01", "01"),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", "01"),
        (f"cc-{TRACE}-{SPAN}-01-", "01"),
        (f"cc-{TRACE}-{SPAN}-fe", "00"),
        (f"cc-{TRACE}-{SPAN}-0b", "01"),
    ],
)
def test_of_a_later_version_what_is_known_is_passed_on_as_version_00(later: str, passed_on: str) -> None:
    assert Traceparent.parse(later) == Traceparent(f"00-{TRACE}-{SPAN}-{passed_on}")


@given(st.text(alphabet="0123456789abcdefg-. ", max_size=60) | st.text())
def test_whatever_is_taken_is_of_version_00_and_would_be_taken_again(header: str) -> None:
    trace = Traceparent.parse(header)
    if trace is not None:
        assert len(trace.text) == 55
        assert Traceparent.parse(trace.text) == trace


def test_a_log_line_names_it_as_opentelemetry_does() -> None:
    assert log_fields(Traceparent(f"00-{TRACE}-{SPAN}-01")) == {"trace_id": TRACE, "span_id": SPAN}
    assert log_fields(None) == {}
