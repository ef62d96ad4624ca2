"""Sentry over a real socket, against a look-alike that also hangs, refuses and is away."""

import gc
import json
import time
from collections.abc import Iterator

import pytest
import sentry_sdk
from twisted.internet.defer import Deferred
from twisted.logger import Logger, capturedLogs, globalLogPublisher
from twisted.python import log
from twisted.python.failure import Failure

from smsd.core.message import What
from smsd.core.notice import Notice, of
from smsd.core.outcome import Refused
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.core.settle import begin, settle
from smsd.core.trace import Traceparent
from smsd.reporting.fanout import CLOSE_S, Fanout
from smsd.reporting.names import Known, Snapshot
from smsd.reporting.outlet import Outlet
from smsd.reporting.prometheus import Prometheus
from smsd.reporting.sentry import Sentry, SentryLog
from tests.integration.daemon import free_port
from tests.integration.sentry_server import SentryServer
from tests.messages import NOW, sms

NUMBER = "31633450007"
TEXT = "Your appointment is at nine"
KEY = "live_abcdefghijklmnop"
ID = "01K58M1X234567890ABCDEFGHJ"  # which has more digits in a row than a number may
KNOWN = Known(api_keys=frozenset({"demo"}), gateways=("messagebird",))
NOTHING = Snapshot(depth={}, oldest_s=0.0, eta_s=0.0, pace_used=0.0, pace_allowed=1.0)
POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0))


def dead(reason: str, id: str = ID, trace: Traceparent | None = None) -> Notice:
    """The notice of a message that the provider refused."""
    message = begin(sms(id=id, body=TEXT, trace=trace), NOW, "messagebird")
    return of(settle(message, Refused(reason=reason), NOW + 1, POLICY, 0.5))


class Told:
    """Sentry behind its outlet, as the daemon has it."""

    def __init__(self, dsn: str) -> None:
        self.sentry = Sentry(dsn, release="smsd@1.2.3", environment="test", node="node-1", keys=[KEY])
        self.outlet = Outlet(
            "sentry",
            self.sentry.take,
            monotonic=time.monotonic,
            close=self.sentry.close,
            lost=lambda: self.sentry.drops,
        )
        self.fanout = Fanout(direct={}, queued=[self.outlet], monotonic=time.monotonic)
        self.log = SentryLog(self.outlet.put)
        self.fanout.start()


@pytest.fixture
def server() -> Iterator[SentryServer]:
    server = SentryServer()
    yield server
    server.close()


@pytest.fixture
def told(server: SentryServer) -> Iterator[Told]:
    told = Told(server.dsn)
    yield told
    told.fanout.close(0.0)


def test_sentry_gets_a_dead_letter_with_its_id_and_without_number_text_and_key(
    server: SentryServer, told: Told
) -> None:
    told.fanout.report(dead(f"the provider answered 400; {KEY}: {TEXT!r} to +{NUMBER} is bad (code 9)"))
    event = server.event()
    assert server.requests.get(timeout=60) == "/api/42/envelope/"
    assert event["tags"]["id"] == ID
    assert event["tags"]["state"] == "dead"
    assert event["tags"]["gateway"] == "messagebird"
    assert event["message"] == "refused: the provider answered 400; [key]: [quoted] to [number] is bad (code 9)"
    assert (event["release"], event["environment"], event["server_name"]) == ("smsd@1.2.3", "test", "node-1")
    assert event["fingerprint"] == ["smsd", "refused", "messagebird", "answered 400", "(code 9)"]
    assert not ({"user", "request", "breadcrumbs", "extra", "modules", "contexts", "threads"} & set(event))


def test_sentry_shows_a_dead_letter_in_the_trace_of_its_client(server: SentryServer, told: Told) -> None:
    digits = "31633450007316334500073163345000"  # as chance may have it
    told.fanout.report(dead("the provider answered 400", trace=Traceparent(f"00-{digits}-{digits[:16]}-01")))
    assert server.event()["contexts"] == {"trace": {"trace_id": digits, "span_id": digits[:16]}}


def test_of_a_trace_nothing_but_ids_goes_to_sentry(server: SentryServer, told: Told) -> None:
    trace = {"trace_id": f"to {NUMBER}", "span_id": "00f067aa0ba902b7", "data": {"number": NUMBER}}
    told.outlet.put({"message": "all is well", "contexts": {"trace": trace}})
    assert NUMBER not in server.raw.get(timeout=60).decode()


def test_sentry_gets_a_held_gateway_and_nothing_that_is_everyday(server: SentryServer, told: Told) -> None:
    for what in set(What) - {What.REFUSED, What.OUT_OF_TRIES, What.HELD}:
        told.fanout.report(Notice(what=what, at=NOW, message=sms(), detail="all in a day"))
    told.fanout.report(Notice(what=What.HELD, at=NOW, detail="the provider answered 401"))
    assert server.event()["message"] == "held: the provider answered 401"
    told.fanout.close(60.0)
    assert server.raw.empty()
    assert told.fanout.drops() == {"sentry": 0}


def test_whatever_else_an_event_comes_with_is_cut_off(server: SentryServer, told: Told) -> None:
    stowaways = {"user": {"id": "1"}, "request": {"url": "u"}, "extra": {"a": 1}, "breadcrumbs": {"values": []}}
    told.outlet.put({"message": "all is well", "contexts": {"a": {"b": 1}}, "modules": {"a": "1"}, **stowaways})
    allowed = {"message", "event_id", "timestamp", "platform", "release", "environment", "server_name", "sdk"}
    assert set(server.event()) <= allowed | {"level"}


def test_one_outage_is_one_issue(server: SentryServer, told: Told) -> None:
    for n in range(20):
        told.fanout.report(dead("the provider answered 400 (code 9)", id=f"01K58M1X2345678900000000{n:02}"))
    events = [server.event() for _ in range(20)]
    assert len({tuple(event["fingerprint"]) for event in events}) == 1
    assert len({event["tags"]["id"] for event in events}) == 20


async def _breaks(number: str, text: str) -> None:
    raise ValueError(f"{text} to {number} with {KEY}")


def test_sentry_gets_every_kind_of_failure_in_the_log_and_nothing_private(server: SentryServer, told: Told) -> None:
    globalLogPublisher.addObserver(told.log)
    try:
        with capturedLogs():
            try:
                raise KeyError(TEXT)
            except KeyError:
                Logger(namespace="smsd.here").failure("send {text} broke", text=TEXT, id=ID)
            log.err(Failure(OSError(28, "No space left on device", f"/{NUMBER}")), f"to {NUMBER} with {KEY}")
            Deferred.fromCoroutine(_breaks(NUMBER, TEXT))
            gc.collect()
    finally:
        globalLogPublisher.removeObserver(told.log)
    raw = [server.raw.get(timeout=60).decode() for _ in range(3)]
    assert [private for private in (NUMBER, TEXT, KEY) for each in raw if private in each] == []
    new, legacy, deferred = (json.loads(each.splitlines()[2]) for each in raw)
    assert (new["logger"], new["tags"], new["exception"]["values"][0]["type"]) == ("smsd.here", {"id": ID}, "KeyError")
    assert legacy["message"] == "to [number] with [key]"
    assert legacy["exception"]["values"][0]["value"] == "No space left on device"
    frames = deferred["exception"]["values"][0]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "_breaks"
    assert all("vars" not in frame for frame in frames)
    assert deferred["level"] == "fatal"


def test_no_client_of_ours_becomes_the_sdks_global_one(told: Told) -> None:
    assert not sentry_sdk.get_client().is_active()


@pytest.mark.timed
def test_a_sentry_that_hangs_is_waited_for_at_most_two_seconds_at_the_end(server: SentryServer, told: Told) -> None:
    server.hangs = True
    for _ in range(3):
        told.fanout.report(dead("the provider answered 400"))
    assert server.requests.get(timeout=60)
    began = time.monotonic()
    told.fanout.close(CLOSE_S)
    assert time.monotonic() - began < CLOSE_S + 1.0


@pytest.mark.timed
def test_sentry_by_itself_is_closed_within_the_time_it_is_given(server: SentryServer) -> None:
    server.hangs = True
    sentry = Sentry(server.dsn, release="1")
    sentry.take(dead("the provider answered 400"))
    assert server.requests.get(timeout=60)
    began = time.monotonic()
    sentry.close(0.1)
    assert time.monotonic() - began < CLOSE_S


def test_a_sentry_that_refuses_is_counted_and_asked_again(server: SentryServer, told: Told) -> None:
    server.answer = 503
    told.fanout.report(dead("first"))
    assert server.requests.get(timeout=60)
    server.answer = 200
    told.fanout.report(dead("second"))
    assert server.event()["message"] == "refused: second"
    assert told.fanout.drops() == {"sentry": 1}


def test_a_sentry_that_wants_no_more_is_left_in_peace(server: SentryServer, told: Told) -> None:
    server.answer, server.headers = 429, {"Retry-After": "3600"}
    told.fanout.report(dead("first"))
    assert server.requests.get(timeout=60)
    told.sentry.flush(60.0)
    for _ in range(10):
        told.fanout.report(dead("more"))
    told.fanout.close(60.0)
    assert server.requests.empty()
    assert told.sentry.drops == 11


def test_a_sentry_that_is_away_disturbs_nobody() -> None:
    told = Told(f"http://public@127.0.0.1:{free_port()}/42")
    for _ in range(3):
        told.fanout.report(dead("the provider answered 400"))
    told.outlet.begin_close(60.0)
    told.outlet.finish_close()
    assert told.sentry.drops == 3


def test_a_dsn_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="public key"):
        Sentry("http://nowhere", release="1")


def test_while_sentry_hangs_the_other_reporters_get_everything(server: SentryServer) -> None:
    server.hangs = True
    counts = Prometheus(known=KNOWN, snapshot=lambda: NOTHING, version="1")
    sentry = Sentry(server.dsn, release="1")
    outlet = Outlet("sentry", sentry.take, monotonic=time.monotonic, limit=100, close=sentry.close)
    fanout = Fanout(direct={"prometheus": counts}, queued=[outlet], monotonic=time.monotonic)
    for _ in range(500):
        fanout.report(dead("the provider answered 400"))  # before the start: nobody takes any of them yet
    fanout.start()
    assert server.requests.get(timeout=60)
    fanout.close(0.0)
    assert b'smsd_dead_total{api_key="demo",gateway="messagebird",reason="refused"} 500.0' in counts.render("")[1]
    assert fanout.drops()["sentry"] >= 400
    assert fanout.drops()["prometheus"] == 0
