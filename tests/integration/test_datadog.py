"""Datadog over a real UDP socket, with an agent that listens, is away, or cannot be found."""

import os
import socket
from collections.abc import Iterator

import pytest

from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority, What
from smsd.core.notice import Notice
from smsd.reporting.datadog import Datadog
from smsd.reporting.names import Known, Measured, Snapshot, Timing
from tests.messages import NOW, sms

NUMBER = "31633450007"
KNOWN = Known(api_keys=frozenset({"demo"}), gateways=("messagebird",))


class Agent:
    """A UDP socket where the agent's would be."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(60)
        self.port: int = self.socket.getsockname()[1]
        self.datadog = Datadog(host="127.0.0.1", port=self.port, known=KNOWN, tags=("env:test",))

    def received(self, count: int) -> list[str]:
        """The next ``count`` datagrams, in order, without their ends."""
        return [self.socket.recv(65536).decode().rstrip("\n") for _ in range(count)]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    for name in [name for name in os.environ if name.startswith("DD_")]:
        monkeypatch.delenv(name)
    agent = Agent()
    yield agent
    agent.datadog.close()
    agent.socket.close()


def sent() -> Message:
    return sms(gateway="messagebird", state=State.SENT, accepted_at=NOW, attempted_at=NOW + 1, attempts=1)


def test_datadog_counts_and_times_under_the_names_of_prometheus(agent: Agent) -> None:
    agent.datadog.take(Notice(what=What.ACCEPTED, at=NOW, message=sms()))
    agent.datadog.take(Notice(what=What.SENT, at=NOW + 1.5, message=sent()))
    refused = sms(gateway="messagebird", state=State.DEAD, attempted_at=NOW)
    agent.datadog.take(Notice(what=What.REFUSED, at=NOW + 1, message=refused))
    assert agent.received(6) == [
        "smsd.accepted:1|c|#api_key:demo,env:test",
        "smsd.sent:1|c|#api_key:demo,gateway:messagebird,env:test",
        "smsd.send.seconds:1.5|h|#env:test",
        "smsd.provider.seconds:0.5|h|#gateway:messagebird,env:test",
        "smsd.dead:1|c|#reason:refused,api_key:demo,gateway:messagebird,env:test",
        "smsd.provider.seconds:1.0|h|#gateway:messagebird,env:test",
    ]


def test_datadog_gets_an_event_and_a_check_when_a_gateway_is_held_and_when_it_is_released(agent: Agent) -> None:
    agent.datadog.take(Notice(what=What.HELD, at=NOW, detail=f"the provider answered 401 to {NUMBER}"))
    event, gauge, check = agent.received(3)
    assert gauge == "smsd.held:1|g|#gateway:messagebird,env:test"
    assert event.startswith("_e{25,37}:smsd: messagebird is held|the provider answered 401 to [number]|")
    assert "|t:error|" in event
    assert check == "_sc|smsd.can_send|2|#gateway:messagebird,env:test|m:the provider answered 401 to [number]"
    agent.datadog.take(Notice(what=What.RELEASED, at=NOW))
    event, gauge, check = agent.received(3)
    assert gauge == "smsd.held:0|g|#gateway:messagebird,env:test"
    assert "|t:success|" in event
    assert check == "_sc|smsd.can_send|0|#gateway:messagebird,env:test"


def test_datadog_shows_what_can_only_be_looked_at(agent: Agent) -> None:
    depth = {(State.QUEUED, Priority.HIGH): 3}
    drops = {"sentry": 2}
    agent.datadog.take(Snapshot(depth=depth, oldest_s=1.5, eta_s=60.0, pace_used=0.5, pace_allowed=1.0, drops=drops))
    agent.datadog.take(Measured(timing=Timing.COMMIT, seconds=[0.25]))
    assert agent.received(9) == [
        "smsd.depth:3|g|#state:queued,priority:high,env:test",
        "smsd.reporter.drops:2|g|#reporter:sentry,env:test",
        "smsd.oldest.seconds:1.5|g|#env:test",
        "smsd.eta.seconds:60.0|g|#env:test",
        "smsd.pace.used:0.5|g|#env:test",
        "smsd.pace.allowed:1.0|g|#env:test",
        "smsd.held:0|g|#gateway:messagebird,env:test",
        "_sc|smsd.can_send|0|#gateway:messagebird,env:test",
        "smsd.commit.seconds:0.25|h|#env:test",
    ]


def test_an_agent_that_is_away_disturbs_nobody(agent: Agent) -> None:
    agent.socket.close()
    for _ in range(100):
        agent.datadog.take(Notice(what=What.SENT, at=NOW, message=sent()))


def test_an_agent_whose_name_is_unknown_disturbs_nobody(agent: Agent) -> None:
    datadog = Datadog(host="no-such-host.invalid", port=8125, known=KNOWN)
    datadog.take(Notice(what=What.SENT, at=NOW, message=sent()))
    datadog.close()


def test_a_gateway_that_is_held_stays_critical_in_every_snapshot(agent: Agent) -> None:
    agent.datadog.take(Notice(what=What.HELD, at=NOW))
    agent.received(3)
    agent.datadog.take(Snapshot(depth={}, oldest_s=0.0, eta_s=0.0, pace_used=0.0, pace_allowed=1.0))
    assert agent.received(6)[4:] == [
        "smsd.held:1|g|#gateway:messagebird,env:test",
        "_sc|smsd.can_send|2|#gateway:messagebird,env:test|m:held",
    ]
