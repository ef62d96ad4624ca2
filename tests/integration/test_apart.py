"""At a high rate a process of its own asks the provider; the promise holds whichever of the two dies."""

import os
import re
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.daemon import DaemonProcess, until
from tests.integration.provider import Arrival, Behaviour, Provider
from tests.integration.test_workers import is_alive, workers_of
from tests.unit.pipeline.world import most_within

#: A process of its own is there from a hundred on.
RATE = 100
COUNT = 300


class FarAway(Provider):
    """A provider that takes a while to answer, so that many requests are under way."""

    def handle(self, arrival: Arrival) -> Behaviour:
        pause_s = 0.1 if arrival.method == "POST" else 0.0
        return attrs.evolve(super().handle(arrival), pause_s=pause_s)


@pytest_twisted.async_yield_fixture
async def provider() -> AsyncIterator[Provider]:
    provider = FarAway(reactor)
    await provider.start()
    yield provider
    await provider.stop()


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


async def sender_of(server: DaemonProcess) -> int:
    """The process that sends, once it does."""
    await until(lambda: len(workers_of(server)) == 1 and threads_of(workers_of(server)[0]) > 2, "it sends")
    return workers_of(server)[0]


async def begun(server: DaemonProcess, provider: Provider) -> list[str]:
    """Post many, and wait until the process has sent some."""
    ids = await server.accepted_all(COUNT)
    await sender_of(server)
    first = len(provider.stored)
    await until(lambda: len(provider.stored) > first + 50, "some are sent")
    return ids


async def under_way(daemon: Any, provider: Provider, **settings: str) -> tuple[DaemonProcess, list[str], int]:
    """A daemon in the middle of sending, the ids of all it accepted, and the process that sends."""
    server = daemon(rate=str(RATE), **settings)
    await server.start()
    ids = await begun(server, provider)
    return server, ids, await sender_of(server)


async def each_is_sent_once(server: DaemonProcess, provider: Provider, ids: list[str]) -> None:
    await until(lambda: all_sent(server, ids), "all are known to be sent", within_s=90)
    assert sorted(kept["reference"] for kept in provider.stored.values()) == sorted(ids)
    times = sorted(arrival.at_monotonic for arrival in provider.posts())
    assert most_within(times, 1.0) <= RATE


async def all_sent(server: DaemonProcess, ids: list[str]) -> bool:
    return (await server.shown(ids[-1]))["state"] == "sent" and await depth(server, "sent") == len(ids)


async def depth(server: DaemonProcess, state: str) -> int:
    text = await (await server.get("/metrics")).text()
    return int(sum(map(float, re.findall(rf'^smsd_depth\{{.*state="{state}".*\}} (\S+)$', text, re.MULTILINE))))


@ensureDeferred
async def test_when_the_sending_process_is_killed_nothing_is_lost_or_sent_twice(
    daemon: Any, provider: Provider
) -> None:
    server, ids, killed = await under_way(daemon, provider, grace="1")
    os.kill(killed, signal.SIGKILL)
    await until(lambda: workers_of(server) not in ([], [killed]), "there is another")
    await each_is_sent_once(server, provider, ids)
    assert "the sending process is gone" in server.output.read_text()


@ensureDeferred
async def test_when_the_daemon_is_killed_the_process_that_stands_still_sends_nothing_more(
    daemon: Any, provider: Provider
) -> None:
    server, ids, stopped = await under_way(daemon, provider, grace="1")
    os.kill(stopped, signal.SIGSTOP)  # with requests that it was about to send
    await server.kill()
    await until(lambda: not is_alive(stopped), "it is gone as well")
    await server.start()
    await each_is_sent_once(server, provider, ids)


@ensureDeferred
async def test_a_daemon_that_is_told_to_stop_waits_for_what_is_under_way(daemon: Any, provider: Provider) -> None:
    server, ids, sender = await under_way(daemon, provider)
    os.kill(sender, signal.SIGTERM)  # as a terminal and systemd do
    assert await server.terminate() == 0
    assert not is_alive(sender)
    await server.start()
    assert not await depth(server, "uncertain")
    await each_is_sent_once(server, provider, ids)


@ensureDeferred
@pytest.mark.parametrize("settings", [{"rate": "99"}, {"rate": "500", "workers": "0"}], ids=["slow", "in one process"])
async def test_otherwise_the_daemon_asks_the_provider_itself(daemon: Any, provider: Provider, settings: Any) -> None:
    server = daemon(**settings)
    await server.start()
    await server.accepted()
    await until(lambda: len(provider.stored) == 1, "it is sent")
    assert workers_of(server) == []


@ensureDeferred
async def test_a_process_that_stands_still_is_replaced_and_holds_no_end_up(daemon: Any, provider: Provider) -> None:
    server, ids, stopped = await under_way(daemon, provider, grace="1", timeout="1")
    os.kill(stopped, signal.SIGSTOP)
    await until(lambda: not is_alive(stopped), "it is killed")
    await each_is_sent_once(server, provider, ids)
    assert "does not answer" in server.output.read_text()
    os.kill(await sender_of(server), signal.SIGSTOP)
    await server.accepted()
    assert await server.terminate() == 0


@ensureDeferred
async def test_what_was_stale_when_its_process_went_on_is_not_sent(daemon: Any, provider: Provider) -> None:
    server, _, stopped = await under_way(daemon, provider)
    await until(lambda: len(provider.stored) == COUNT, "all are sent")
    os.kill(stopped, signal.SIGSTOP)
    id = await server.accepted(validity=1)
    await until(lambda: is_in(server, id, "sending"), "it is handed over")
    await deferLater(reactor, 1.2)  # its validity, and not something that could be awaited
    os.kill(stopped, signal.SIGCONT)
    await until(lambda: is_in(server, id, "expired"), "it is expired")
    assert id not in {kept["reference"] for kept in provider.stored.values()}


async def is_in(server: DaemonProcess, id: str, state: str) -> bool:
    return bool((await server.shown(id))["state"] == state)


@ensureDeferred
async def test_without_a_descriptor_for_it_the_daemon_sends_and_another_comes_later(
    daemon: Any, provider: Provider
) -> None:
    server, first, killed = await under_way(daemon, provider, grace="1")
    await each_is_sent_once(server, provider, first)
    pid = server.process.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    open_now = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now, most))
    os.kill(killed, signal.SIGKILL)
    await until(lambda: "no sending process can be started" in server.output.read_text(), "it is said")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    await until(lambda: workers_of(server) not in ([], [killed]), "there is another")
    await server.accepted()
    await until(lambda: len(provider.stored) == COUNT + 1, "it is sent")
    assert await server.terminate() == 0
