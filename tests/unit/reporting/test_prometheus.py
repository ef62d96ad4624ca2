"""What happened can be read off /metrics."""

from typing import Any

import attrs
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from zope.interface.verify import verifyObject

from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority, What
from smsd.core.notice import Notice
from smsd.ports import IReporter
from smsd.reporting.names import COUNTED, GAUGES, NOTICED, OTHER, Counter, Known, Measured, Snapshot, Timing
from smsd.reporting.prometheus import Prometheus
from tests.messages import sms

KNOWN = Known(api_keys=frozenset({"shop"}), gateways=("messagebird", "bird"))
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SNAPSHOT = Snapshot(
    depth={(State.QUEUED, Priority.HIGH): 3},
    oldest_s=12.5,
    eta_s=60.0,
    pace_used=0.5,
    pace_allowed=1.0,
    drops={"sentry": 7},
)


@attrs.define
class Page:
    """The metrics that are shown when it is looked at."""

    prometheus: Prometheus

    def __call__(self, name: str, **labels: str) -> float | None:
        """The value of the sample ``name`` with exactly ``labels``."""
        kind, body = self.prometheus.render(OPENMETRICS)
        assert kind.startswith("application/openmetrics-text")
        samples = [sample for family in read_openmetrics(body.decode()) for sample in family.samples]
        return next((each.value for each in samples if each.name == name and each.labels == labels), None)


@pytest.fixture
def page() -> Page:
    return Page(Prometheus(known=KNOWN, snapshot=lambda: SNAPSHOT, version="1.2.3"))


def sent(**changed: Any) -> Message:
    return sms(**{"api_key": "shop", "gateway": "messagebird", "state": State.SENT} | changed)


def test_each_notice_is_counted_once_under_its_key_and_gateway(page: Page) -> None:
    verifyObject(IReporter, page.prometheus)
    for what in What:
        page.prometheus.report(Notice(what=what, at=0.0, message=sent()))
    both = {"api_key": "shop", "gateway": "messagebird"}
    assert page("smsd_accepted_total", api_key="shop") == 1
    assert page("smsd_attempts_total", gateway="messagebird") == 1
    assert page("smsd_sent_total", **both) == 2  # sent, and found to be
    assert page("smsd_delivered_total", **both) == 1
    assert page("smsd_undelivered_total", **both) == 1
    assert page("smsd_dead_total", reason="refused", **both) == 1
    assert page("smsd_dead_total", reason="out_of_tries", **both) == 1
    assert page("smsd_uncertain_total", gateway="messagebird") == 2
    assert page("smsd_again_total", gateway="messagebird") == 5
    assert page("smsd_postponed_total", gateway="messagebird") == 1
    assert page("smsd_held_back_total", gateway="messagebird") == 1
    for plain in ("expired", "canceled", "replayed", "dropped", "faults"):
        assert page(f"smsd_{plain}_total") == 1


def test_everything_that_can_happen_is_counted_somewhere() -> None:
    assert set(COUNTED) == set(What)
    assert {counter for counter in COUNTED.values() if counter} == set(Counter)


def test_a_gateway_is_held_until_it_is_released(page: Page) -> None:
    assert page("smsd_held", gateway="messagebird") == 0
    page.prometheus.report(Notice(what=What.HELD, at=0.0))
    assert (page("smsd_held", gateway="messagebird"), page("smsd_held", gateway="bird")) == (1, 0)
    page.prometheus.report(Notice(what=What.RELEASED, at=0.0))
    assert page("smsd_held", gateway="messagebird") == 0


def test_nobody_outside_can_make_up_a_label(page: Page) -> None:
    for n in range(100):
        page.prometheus.report(Notice(what=What.ACCEPTED, at=0.0, message=sent(api_key=f"k{n}", gateway=f"g{n}")))
        page.prometheus.report(Notice(what=What.ATTEMPT, at=0.0, message=sent(gateway=f"g{n}")))
    page.prometheus.report(Notice(what=What.ACCEPTED, at=0.0, message=sent()))
    assert page("smsd_accepted_total", api_key=OTHER) == 100
    assert page("smsd_accepted_total", api_key="shop") == 1
    assert page("smsd_attempts_total", gateway=OTHER) == 100
    assert b"k99" not in page.prometheus.render("")[1]


def test_how_long_a_send_took_is_read_off_its_notice(page: Page) -> None:
    message = sent(accepted_at=100.0, attempted_at=109.0)
    page.prometheus.report(Notice(what=What.SENT, at=110.5, message=message))
    assert page("smsd_send_seconds_sum") == 10.5
    assert page("smsd_provider_seconds_sum", gateway="messagebird") == 1.5
    assert page("smsd_provider_seconds_bucket", gateway="messagebird", le="2.5") == 1
    assert page("smsd_provider_seconds_bucket", gateway="messagebird", le="1.0") == 0


def test_what_was_found_later_says_nothing_of_how_long_the_provider_took(page: Page) -> None:
    page.prometheus.report(Notice(what=What.FOUND, at=500.0, message=sent(attempted_at=1.0)))
    assert page("smsd_provider_seconds_count", gateway="messagebird") is None


def test_a_clock_that_was_set_back_makes_no_negative_time(page: Page) -> None:
    page.prometheus.report(Notice(what=What.SENT, at=50.0, message=sent(accepted_at=100.0, attempted_at=109.0)))
    assert page("smsd_send_seconds_sum") == 0


@pytest.mark.parametrize("timing", [each for each in Timing if each not in NOTICED])
def test_other_durations_are_added_by_hand(page: Page, timing: Timing) -> None:
    page.prometheus.measure(Measured(timing=timing, seconds=[0.25]))
    assert page(f"{timing.full}_sum") == 0.25


def test_what_can_only_be_looked_at_is_looked_at_each_time() -> None:
    moments = iter([SNAPSHOT, attrs.evolve(SNAPSHOT, depth={}, oldest_s=0.0)])
    page = Page(Prometheus(known=KNOWN, snapshot=lambda: next(moments), version="1"))
    _, body = page.prometheus.render(OPENMETRICS)
    assert b'smsd_depth{priority="high",state="queued"} 3.0' in body
    assert b'smsd_depth{priority="low",state="dead"} 0.0' in body
    assert b"smsd_oldest_seconds 12.5" in body
    assert b"smsd_eta_seconds 60.0" in body
    assert b"smsd_pace_used 0.5" in body
    assert b"smsd_pace_allowed 1.0" in body
    assert b'smsd_reporter_drops_total{reporter="sentry"} 7.0' in body
    _, body = page.prometheus.render(OPENMETRICS)
    assert b'smsd_depth{priority="high",state="queued"} 0.0' in body
    assert b"smsd_oldest_seconds 0.0" in body


def test_what_has_not_happened_yet_is_shown_as_zero(page: Page) -> None:
    assert page("smsd_dead_total", reason="refused", api_key="shop", gateway="bird") == 0
    assert page("smsd_accepted_total", api_key="shop") == 0


def test_who_asks_for_plain_text_gets_it(page: Page) -> None:
    kind, body = page.prometheus.render("text/plain")
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    [info] = [family for family in read_text(body.decode()) if family.name == "smsd_build_info"]
    assert info.samples[0].labels["version"] == "1.2.3"


def test_every_gauge_that_is_named_is_shown(page: Page) -> None:
    shown = page.prometheus.render("")[1].decode()
    assert [name for name in GAUGES if f"# TYPE {name} gauge" not in shown] == []
