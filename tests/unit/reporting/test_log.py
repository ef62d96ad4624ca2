"""A log line names the message and its trace, and nothing that is private."""

import io
import json
from typing import Any

import pytest
from twisted.logger import Logger, globalLogPublisher

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.scrub import hide
from smsd.core.trace import Traceparent
from smsd.reporting.log import LogReporter, observer
from tests.messages import NOW, sms

TRACE = Traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def written(as_json: bool, **changed: Any) -> str:
    """What one notice becomes."""
    stream = io.StringIO()
    watching = observer(stream, as_json)
    globalLogPublisher.addObserver(watching)
    LogReporter().report(Notice(what=What.REFUSED, at=NOW, message=sms(**changed), detail="no, +31612345678"))
    globalLogPublisher.removeObserver(watching)
    return stream.getvalue()


def test_a_line_of_json_has_the_trace_in_fields_of_its_own() -> None:
    line = json.loads(written(True, trace=TRACE))
    assert (line["trace_id"], line["span_id"]) == (TRACE.trace_id, TRACE.span_id)
    assert line["message"].endswith(f": no, +*** [trace {TRACE.trace_id}]")


def test_a_line_of_text_ends_with_the_trace() -> None:
    assert written(False, trace=TRACE).endswith(f"attempt 0: no, +*** [trace {TRACE.trace_id}]\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_message_without_a_trace_says_nothing_of_one(as_json: bool) -> None:
    assert "trace" not in written(as_json)


def test_a_failure_may_name_a_trace_as_well() -> None:
    stream = io.StringIO()
    watching = observer(stream, True)
    globalLogPublisher.addObserver(watching)
    Logger().error("it broke", trace_id=TRACE.trace_id, span_id=TRACE.span_id)
    globalLogPublisher.removeObserver(watching)
    assert json.loads(stream.getvalue())["trace_id"] == TRACE.trace_id


def test_a_time_in_a_line_stays_readable() -> None:
    assert hide("due before 2026-11-29T02:23:34.879Z, 31612345678") == "due before 2026-11-29T02:23:34.879Z, ***"


def test_an_id_of_ours_stays_readable() -> None:
    id = "01M8JJ1234567JFFXD8TXAMWFA"
    assert (
        hide(f"callback {id}-sent-1795920784642 to 31612345678: no") == f"callback {id}-sent-1795920784642 to ***: no"
    )
    assert hide(f"{id}, 01M8JJ1234567") == f"{id}, 01M8JJ***"
