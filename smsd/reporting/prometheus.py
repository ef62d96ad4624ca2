"""Shows what happens as metrics that Prometheus collects."""

import platform
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, Final, TypeVar, cast

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from zope.interface import implementer

from smsd.core.lifecycle import State
from smsd.core.message import Priority, What
from smsd.core.notice import Notice
from smsd.ports import IReporter
from smsd.reporting.buckets import Buckets
from smsd.reporting.names import (
    COUNTED,
    DROPS,
    GAUGES,
    NOTICED,
    OTHER,
    Counter,
    Known,
    Measured,
    Snapshot,
    Timing,
    labels,
    timed,
)

_M = TypeVar("_M", prometheus_client.Counter, prometheus_client.Histogram)
_HELD: Final = {What.HELD: 1, What.RELEASED: 0}


@implementer(IReporter)
class Prometheus:
    """Counts notices in memory, in a registry of its own; cheap, and never waits."""

    def __init__(self, *, known: Known, snapshot: Callable[[], Snapshot], version: str) -> None:
        """``known`` bounds the labels; ``snapshot`` is called at each collection; ``version`` is smsd's."""
        self._known = known
        self._registry = registry = CollectorRegistry()
        self._counters = {
            each: prometheus_client.Counter(each.base, each.doc, each.labels, registry=registry) for each in Counter
        }
        self._timings = {
            each: prometheus_client.Histogram(each.full, each.doc, each.labels, buckets=each.buckets, registry=registry)
            for each in NOTICED
        }
        self._measured = {each: Buckets(each) for each in Timing if each not in NOTICED}
        self._held = prometheus_client.Gauge("smsd_held", GAUGES["smsd_held"], ("gateway",), registry=registry)
        self._children: dict[tuple[Any, What, tuple[str, str]], Any] = {}
        self._show_zeros(version)
        registry.register(_Now(snapshot, list(self._measured.values())))

    def report(self, notice: Notice) -> None:
        """See IReporter."""
        place = self._known.place(notice)
        if notice.what in _HELD:
            self._held.labels(place[1]).set(_HELD[notice.what])
        counter = COUNTED[notice.what]
        if counter is not None:
            self._child(self._counters[counter], counter.labels, notice.what, place).inc(notice.count)
        for timing, seconds in timed(notice):
            self._child(self._timings[timing], timing.labels, notice.what, place).observe(seconds)

    def measure(self, measured: Measured) -> None:
        """Add durations that no notice tells of."""
        self._measured[measured.timing].add(measured.seconds)

    def render(self, accept: str) -> tuple[str, bytes]:
        """The content type and body for a client that sent ``Accept: accept``: OpenMetrics or Prometheus text."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)

    def _child(self, metric: _M, names: tuple[str, ...], what: What, place: tuple[str, str]) -> _M:
        """``metric`` with its labels; remembered, since to look it up takes longer than to count."""
        at = (metric, what, place)
        child = self._children.get(at)
        if child is None:
            child = self._children[at] = metric.labels(**labels(names, what, place)) if names else metric
        return cast(_M, child)

    def _show_zeros(self, version: str) -> None:
        # A rate cannot be taken of what first shows at 1.
        keys = (*self._known.api_keys, OTHER)
        known = {"api_key": keys, "gateway": self._known.gateways, "reason": ("refused", "out_of_tries")}
        for counter in Counter:
            for values in product(*(known[name] for name in counter.labels)) if counter.labels else ():
                self._counters[counter].labels(*values)
        for gateway in self._known.gateways:
            self._held.labels(gateway)
        build = prometheus_client.Gauge(
            "smsd_build_info", GAUGES["smsd_build_info"], ("version", "python"), registry=self._registry
        )
        build.labels(version, platform.python_version()).set(1)


class _Now(Collector):
    """What is looked at when Prometheus asks."""

    def __init__(self, snapshot: Callable[[], Snapshot], measured: Sequence[Buckets]) -> None:
        self._snapshot = snapshot
        self._measured = measured

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not take a snapshot."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Every gauge of a snapshot, and what was measured."""
        now = self._snapshot()
        depth = GaugeMetricFamily("smsd_depth", GAUGES["smsd_depth"], labels=("state", "priority"))
        for state in State:
            for priority in Priority:
                depth.add_metric((state.value, priority.name.lower()), now.depth.get((state, priority), 0))
        yield depth
        drops = CounterMetricFamily(DROPS, "Notices that a reporter did not get.", labels=("reporter",))
        for reporter, count in now.drops.items():
            drops.add_metric((reporter,), count)
        yield drops
        for name, value in now.plain().items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value)
        for each in self._measured:
            yield each.family()
