"""Prometheus's own tool reads the alert rules, and finds that they do what their tests say."""

import shutil
import subprocess
from pathlib import Path

import pytest

from smsd.reporting.names import Known, Snapshot
from smsd.reporting.prometheus import Prometheus

DEPLOY = Path(__file__).parents[2] / "deploy"
pytestmark = pytest.mark.engines


def promtool(*arguments: str, given: bytes = b"") -> str:
    """What it says; it must be content."""
    assert shutil.which("promtool"), "promtool is missing: it comes with Debian's package prometheus"
    ended = subprocess.run(["promtool", *arguments], input=given, capture_output=True, check=False)
    said = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 0, said
    return said


def test_the_rules_are_rules() -> None:
    promtool("check", "rules", str(DEPLOY / "alerts.yml"))


def test_the_rules_do_what_their_tests_say() -> None:
    promtool("test", "rules", str(DEPLOY / "alerts_test.yml"))


def test_every_rule_is_tested_to_fire_and_to_keep_quiet() -> None:
    names = [line.split()[-1] for line in (DEPLOY / "alerts.yml").read_text().splitlines() if "- alert:" in line]
    tests = (DEPLOY / "alerts_test.yml").read_text()
    assert names
    assert [name for name in names if f"alertname: {name}\n        exp_alerts" not in tests] == []
    assert [name for name in names if f"alertname: {name}}}" not in tests] == []


def test_the_metrics_are_named_as_prometheus_likes_it() -> None:
    nothing = Snapshot(depth={}, oldest_s=0.0, eta_s=0.0, pace_used=0.0, pace_allowed=1.0, drops={"log": 0})
    known = Known(api_keys=frozenset({"demo"}), gateways=("messagebird",))
    _, body = Prometheus(known=known, snapshot=lambda: nothing, version="1").render("")
    promtool("check", "metrics", given=body)
