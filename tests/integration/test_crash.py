"""Nothing that was accepted is lost, and nothing is sent twice, whenever the process dies."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionRefusedError
from twisted.web.client import ResponseFailed

from tests.integration.crashing import STEPS
from tests.integration.daemon import SMS, DaemonProcess, until
from tests.integration.provider import Behaviour, Provider

CRASHING = str(Path(__file__).with_name("crashing.py"))


def taken(provider: Provider) -> Counter[str]:
    """How often the provider took each message, by our id."""
    return Counter(kept["reference"] for kept in provider.stored.values())


async def all_sent(server: DaemonProcess, ids: list[str]) -> None:
    async def sent() -> bool:
        return all([(await server.shown(id)).get("state") == "sent" for id in ids])

    await until(sent, "every message is sent")


@pytest.mark.parametrize("step", STEPS)
@pytest_twisted.ensureDeferred
async def test_a_crash_at_this_step_neither_loses_nor_doubles(daemon: Any, provider: Provider, step: str) -> None:
    server = daemon(rate="20", grace="1")
    await server.start()
    await server.kill()  # the spool is there; now it is run by the one that crashes
    await server.start(sys.executable, CRASHING, step)
    ids = []
    try:
        ids.append(await server.accepted())
    except ResponseFailed:
        assert step in ("not yet appended", "appended")  # never answered, but in the second case on disk
    assert await server.ended() == -signal.SIGKILL
    await server.start()
    if step == "not yet appended":
        listed = await (await server.get("/sms")).json()
        assert listed["sms"] == []
        return
    await until(lambda: len(provider.stored) >= 1, "the message arrives")
    (id,) = taken(provider)
    assert ids in ([], [id])
    await all_sent(server, [id])
    assert taken(provider) == {id: 1}


@pytest.mark.parametrize("keep", [True, False], ids=["the provider has it", "the provider does not have it"])
@pytest_twisted.ensureDeferred
async def test_a_crash_while_the_provider_is_being_called_is_cleared_up_by_asking_it(
    daemon: Any, provider: Provider, keep: bool
) -> None:
    provider.script([Behaviour(reply=b"", keep=keep)])  # never answers
    server = daemon(rate="20", grace="1")
    await server.start()
    id = await server.accepted()
    await until(lambda: provider.posts(), "the provider has been called")
    await server.kill()
    await server.start()
    await all_sent(server, [id])
    assert taken(provider) == {id: 1}
    assert len(provider.posts()) == (1 if keep else 2)


@pytest_twisted.ensureDeferred
async def test_eight_kills_while_messages_flow(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="30", grace="1")
    await server.start()
    accepted: list[str] = []
    flowing = True

    async def flow() -> None:
        while flowing:
            try:
                response = await server.post(SMS)
                if response.code == 200:
                    accepted.append((await response.json())["id"])
            except (ConnectError, ConnectionRefusedError, ResponseFailed):
                continue  # the daemon was killed under it: not answered, not promised

    clients = [Deferred.fromCoroutine(flow()) for _ in range(3)]
    for _ in range(8):
        goal = len(accepted) + 12
        await until(lambda goal=goal: len(accepted) >= goal, "more are accepted")
        await server.kill()
        await server.start()
    flowing = False
    for client in clients:
        await client
    await until(lambda: taken(provider).keys() >= set(accepted), "every accepted message has arrived")
    await all_sent(server, accepted)
    assert await server.terminate() == 0
    assert set(taken(provider).values()) == {1}


@pytest.mark.timed
@pytest_twisted.ensureDeferred
async def test_a_frozen_process_does_not_break_the_pace_when_it_thaws(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="5")
    await server.start()
    for _ in range(15):
        await server.accepted()
    await until(lambda: len(provider.stored) >= 3, "it sends")
    os.kill(server.process.pid, signal.SIGSTOP)
    frozen_at = len(provider.stored)
    started = provider.reactor.seconds()
    await until(lambda: provider.reactor.seconds() > started + 1.5, "it was frozen for a while")
    os.kill(server.process.pid, signal.SIGCONT)
    await until(lambda: len(provider.stored) == 15, "all have arrived")
    times = sorted(arrival.at_monotonic for arrival in provider.posts())
    assert frozen_at < 15
    assert all(later - sooner >= 1.0 for sooner, later in zip(times, times[5:], strict=False))
