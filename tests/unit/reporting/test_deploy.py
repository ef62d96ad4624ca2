"""Dashboards and alert rules name only metrics that exist, and leave none out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.reporting.datadog import CHECK, dotted
from smsd.reporting.names import DROPS, GAUGES, Counter, Known, Snapshot, Timing
from smsd.reporting.prometheus import Prometheus
from tests.messages import sms

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = r"\bsmsd_[a-z_]+"


def prometheus_samples() -> set[str]:
    """The name of every sample that Prometheus gets."""
    nothing = Snapshot(depth={}, oldest_s=0.0, eta_s=0.0, pace_used=0.0, pace_allowed=1.0, drops={"log": 0})
    known = Known(api_keys=frozenset({"demo"}), gateways=("messagebird",))
    prometheus = Prometheus(known=known, snapshot=lambda: nothing, version="1")
    prometheus.report(Notice(what=What.SENT, at=0.0, message=sms(attempted_at=0.0)))
    _, body = prometheus.render("")
    return {sample.name for family in text_string_to_metric_families(body.decode()) for sample in family.samples}


def datadog_names() -> set[str]:
    """The name of every metric that Datadog gets; of a histogram the agent makes several."""
    plain = [each.base for each in Counter] + [DROPS] + [name for name in GAUGES if name != "smsd_build_info"]
    timings = [
        f"{dotted(each.full)}.{end}" for each in Timing for end in ("median", "95percentile", "max", "avg", "count")
    ]
    return {*map(dotted, plain), *timings, CHECK}


@pytest.mark.parametrize("file", ["grafana-dashboard.json", "alerts.yml", "alerts_test.yml"])
def test_every_metric_that_is_named_for_prometheus_exists(file: str) -> None:
    named = set(re.findall(NAME, (DEPLOY / file).read_text()))
    assert named
    assert named - prometheus_samples() == set()


def test_every_metric_that_is_named_for_datadog_exists() -> None:
    named = set(re.findall(r"\bsmsd\.[a-z_.0-9]+", (DEPLOY / "datadog-dashboard.json").read_text()))
    assert named
    assert {name for name in named if name.rpartition(".")[2] != "json"} - datadog_names() == set()


def test_the_dashboards_show_everything() -> None:
    grafana, datadog = ((DEPLOY / f"{name}-dashboard.json").read_text() for name in ("grafana", "datadog"))
    bases = [*(each.base for each in Counter), *(each.full for each in Timing), *GAUGES, DROPS]
    assert [base for base in bases if not re.search(rf"\b{base}(_total|_bucket)?\b", grafana)] == []
    missing = [base for base in bases if not re.search(rf"\b{re.escape(dotted(base))}\b", datadog)]
    assert missing == ["smsd_build_info"]


def test_the_dashboards_are_json_in_which_no_panel_stands_twice() -> None:
    grafana: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    datadog: dict[str, Any] = json.loads((DEPLOY / "datadog-dashboard.json").read_text())
    for panels in (grafana["panels"], datadog["widgets"]):
        ids = [each["id"] for each in panels]
        assert len(ids) == len(set(ids)) > 10
