"""Tells a Datadog agent what happens, over UDP."""

from typing import Final, assert_never

from datadog.dogstatsd.base import DogStatsd

from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.reporting.names import COUNTED, DROPS, Known, Measured, Snapshot, labels, timed
from smsd.reporting.scrub import scrub
from smsd.reporting.troubles import told

#: The service check of each gateway: critical while the provider takes nothing from us.
CHECK: Final = "smsd.can_send"


class Datadog:
    """The metrics of ``names`` with dots in place of underscores, events for held and released, one service check.

    Datagrams never wait for anybody, but looking up the agent's name may: so it belongs behind an Outlet.
    """

    def __init__(self, *, host: str, port: int, known: Known, tags: tuple[str, ...] = ()) -> None:
        """Send to the agent at ``host`` and ``port``; ``tags`` (``name:value``) go with everything."""
        self._known = known
        self._held = dict.fromkeys(known.gateways, "")
        self._agent = DogStatsd(
            host=host,
            port=port,
            constant_tags=list(tags),
            disable_telemetry=True,
            disable_buffering=True,
        )

    @property
    def drops(self) -> int:
        """How many datagrams could not be sent. Of those that were, nobody knows whether the agent has them."""
        return int(self._agent.packets_dropped)

    def take(self, item: Notice | Snapshot | Measured) -> None:
        """Send what ``item`` tells. A snapshot should come every ten seconds, which is how often the agent flushes."""
        match item:
            case Notice():
                self._report(item)
            case Snapshot():
                self._show(item)
            case Measured(timing=timing, seconds=seconds):
                for each in seconds:
                    self._agent.histogram(dotted(timing.full), each)
            case _:
                assert_never(item)

    def close(self, within_s: float = 0.0) -> None:
        """Close the socket; nothing waits in it."""
        self._agent.close_socket()

    def _report(self, notice: Notice) -> None:
        place = self._known.place(notice)
        counter = COUNTED[notice.what]
        if counter is not None:
            self._agent.increment(
                dotted(counter.base), notice.count, tags=_tags(labels(counter.labels, notice.what, place))
            )
        for timing, seconds in timed(notice):
            self._agent.histogram(dotted(timing.full), seconds, tags=_tags(labels(timing.labels, notice.what, place)))
        if notice.what in (What.HELD, What.RELEASED):
            self._turned(place[1], scrub(told(notice)) or "held" if notice.what is What.HELD else "")

    def _show(self, snapshot: Snapshot) -> None:
        for (state, priority), count in snapshot.depth.items():
            tags = [f"state:{state.value}", f"priority:{priority.name.lower()}"]
            self._agent.gauge("smsd.depth", count, tags=tags)
        for reporter, count in snapshot.drops.items():
            self._agent.gauge(dotted(DROPS), count, tags=[f"reporter:{reporter}"])
        for name, value in snapshot.plain().items():
            self._agent.gauge(dotted(name), value)
        for gateway in self._held:
            self._check(gateway)

    def _turned(self, gateway: str, why: str) -> None:
        """``gateway`` is held because of ``why``, or released when that is empty."""
        self._held[gateway] = why
        title = f"smsd: {gateway} is held" if why else f"smsd: {gateway} takes messages again"
        alert = "error" if why else "success"
        tags = [f"gateway:{gateway}"]
        self._agent.event(title, why or title, alert_type=alert, aggregation_key=f"smsd-held-{gateway}", tags=tags)
        self._check(gateway)

    def _check(self, gateway: str) -> None:
        why, tags = self._held[gateway], [f"gateway:{gateway}"]
        self._agent.gauge("smsd.held", int(bool(why)), tags=tags)
        status = DogStatsd.CRITICAL if why else DogStatsd.OK
        self._agent.service_check(CHECK, status, tags=tags, message=why or None)


def dotted(name: str) -> str:
    """A metric's name as Datadog has it: ``smsd.send.seconds``."""
    return name.replace("_", ".")


def _tags(labels: dict[str, str]) -> list[str]:
    return [f"{name}:{value}" for name, value in labels.items()]
