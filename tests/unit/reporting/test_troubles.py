"""What goes wrong makes events without anything private in them."""

import gc
import sqlite3
from typing import Any

import requests
from twisted.internet.defer import Deferred
from twisted.logger import Logger, capturedLogs
from twisted.python import log
from twisted.python.failure import Failure

from smsd.core.errors import SpoolUnavailable
from smsd.core.message import What
from smsd.core.notice import Notice, of
from smsd.core.outcome import Refused
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.core.settle import begin, settle
from smsd.core.trace import Traceparent, log_fields
from smsd.reporting.troubles import of_log, of_notice
from tests.messages import NOW, sms

NUMBER = "31633450007"
TRACE = Traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
TEXT = "Your appointment is at nine"
POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0))


def dead(reason: str, **changed: Any) -> Notice:
    message = begin(sms(body=TEXT, **changed), NOW, "messagebird")
    return of(settle(message, Refused(reason=reason), NOW + 1, POLICY, 0.5))


def test_a_dead_letter_has_its_id_and_state_as_tags_and_neither_its_number_nor_its_text() -> None:
    notice = dead(f"the provider answered 400; {TEXT} to {NUMBER} is bad (code 9)")
    event = of_notice(notice)
    assert event["tags"] == {
        "notice": "refused",
        "gateway": "messagebird",
        "id": notice.message.id,  # type: ignore[union-attr]
        "state": "dead",
        "api_key": "demo",
    }
    assert event["message"] == "refused: the provider answered 400; [text] to [number] is bad (code 9)"
    assert (event["level"], event["timestamp"]) == ("error", NOW + 1)


def test_it_shows_in_the_trace_of_the_client() -> None:
    event = of_notice(dead("the provider answered 400", trace=TRACE))
    assert event["contexts"] == {"trace": {"trace_id": TRACE.trace_id, "span_id": TRACE.span_id}}
    assert "contexts" not in of_notice(dead("the provider answered 400"))
    logged = {"log_failure": Failure(OSError(5, "broke")), **log_fields(TRACE)}
    assert of_log(logged)["contexts"] == event["contexts"]  # type: ignore[index]


def test_one_outage_is_one_issue_and_another_error_is_another() -> None:
    def print_of(reason: str) -> Any:
        return of_notice(dead(reason))["fingerprint"]

    nine = "the provider answered 400; no (correct) recipients found"
    assert print_of(f"{nine} 1a (code 9)") == print_of(f"{nine} 2b (code 9)")
    assert print_of(f"{nine} (code 9)") != print_of(f"{nine} (code 10)")
    assert print_of("no connection, try 3") == print_of("no connection, try 14")
    assert print_of("no connection") != print_of("no secure connection")


def test_a_held_gateway_is_fatal() -> None:
    event = of_notice(Notice(what=What.HELD, at=NOW, detail="the provider answered 401 (code 2)"))
    assert (event["level"], event["message"]) == ("fatal", "held: the provider answered 401 (code 2)")
    assert event["tags"] == {"notice": "held"}


def test_a_failure_in_the_log_is_told_with_its_frames_and_not_with_its_fields() -> None:
    def deep(text: str) -> None:
        raise KeyError(text)

    with capturedLogs() as logged:
        try:
            deep(TEXT)
        except KeyError:
            Logger().failure("message {id}: send of {text} broke", id="01ABC", text=TEXT)
    event = of_log(logged[0])
    assert event is not None
    [value] = event["exception"]["values"]
    assert (value["type"], value["module"]) == ("KeyError", "builtins")
    assert [frame["function"] for frame in value["stacktrace"]["frames"]][-1] == "deep"
    assert value["stacktrace"]["frames"][-1]["context_line"].strip() == "raise KeyError(text)"
    assert event["message"] == "message {id}: send of {text} broke"
    assert event["tags"] == {"id": "01ABC"}
    assert TEXT not in str(event)


def test_a_legacy_failure_is_told_as_well() -> None:
    with capturedLogs() as logged:
        log.err(Failure(sqlite3.OperationalError("disk I/O error")), "writing broke")
    [event] = [of_log(each) for each in logged]
    assert event is not None
    assert event["message"] == "writing broke"
    assert event["exception"]["values"][0]["value"] == "disk I/O error"


def test_an_error_that_no_deferred_handled_is_told() -> None:
    gc.collect()  # what other tests left behind
    with capturedLogs() as logged:
        Deferred.fromCoroutine(_broken())
        gc.collect()
    events = [event for event in map(of_log, logged) if event is not None]
    assert [event["exception"]["values"][-1]["type"] for event in events] == ["SpoolUnavailable"]
    assert events[0]["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "_broken"
    assert [value["type"] for value in events[0]["exception"]["values"]] == ["ValueError", "SpoolUnavailable"]
    assert events[0]["level"] == "fatal"


async def _broken() -> None:
    try:
        raise ValueError(NUMBER)
    except ValueError as error:
        raise SpoolUnavailable(reason=f"no room for '{TEXT}' to {NUMBER}") from error


def test_of_an_error_that_may_quote_a_message_only_the_type_is_told_and_of_the_others_clean_words() -> None:
    def words(error: Exception) -> str:
        event = of_log({"log_failure": Failure(error), "log_format": ""})
        assert event is not None
        said: str = event["exception"]["values"][-1]["value"]
        return said

    assert TEXT not in words(RuntimeError(TEXT))
    assert words(SpoolUnavailable(reason=f"'{TEXT}' to +{NUMBER}")) == "The spool cannot be used: [quoted] to [number]."
    assert words(OSError(28, "No space left on device", f"/var/{NUMBER}")) == "No space left on device"


def test_what_requests_raises_quotes_whole_urls_and_is_told_by_its_type_alone() -> None:
    words = f"Max retries exceeded with url: /messages?body={TEXT.replace(' ', '+')}&access_key=live_abcdefgh"
    event = of_log({"log_failure": Failure(requests.ConnectionError(words)), "log_format": ""})
    assert event is not None
    assert event["exception"]["values"][-1]["value"] == "[left out: it may quote a message]"


def test_of_a_held_gateway_nothing_is_told_in_the_providers_words() -> None:
    detail = f"the provider answered 401; wrong key in {TEXT.upper()} (code 2); see {TEXT} (AuthError E01003)"
    event = of_notice(Notice(what=What.HELD, at=NOW, detail=detail))
    assert event["message"] == "held: the provider answered 401 (code 2) E01003"
    assert event["fingerprint"] == ["smsd", "held", "", "answered 401", "(code 2)", "E01003"]
    ours = Notice(what=What.HELD, at=NOW, detail="no connection to the provider could be made")
    assert of_notice(ours)["message"] == "held: no connection to the provider could be made"


def test_a_code_that_is_no_code_is_not_taken_for_one() -> None:
    assert NUMBER not in str(of_notice(dead(f"the provider answered 422; no (code {NUMBER})")))


def test_a_line_without_a_failure_is_none_of_its_business() -> None:
    assert of_log({"log_format": "all is well"}) is None
    assert of_log({"failure": "a word", "log_format": ""}) is None


def test_a_ring_of_causes_comes_to_an_end() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    event = of_log({"log_failure": Failure(one), "log_format": ""})
    assert event is not None
    assert len(event["exception"]["values"]) == 5
