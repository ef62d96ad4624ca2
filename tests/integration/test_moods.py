"""The provider throttles, fails and comes back: counted at its socket."""

from itertools import pairwise
from typing import Any

import pytest
import pytest_twisted

from tests.integration.daemon import SMS, DaemonProcess, until
from tests.integration.provider import INTERNAL, RESETS, WORKS, WRONG_KEY, Behaviour, Provider, answer


def references(provider: Provider) -> list[str]:
    """Our ids of the requests that came in, in order."""
    return [arrival.json()["reference"] for arrival in provider.posts()]


def kept(provider: Provider) -> list[str]:
    """Our ids of the messages that the provider took, in order."""
    return [each["reference"] for each in provider.stored.values()]


def gaps(provider: Provider) -> list[float]:
    """Seconds between each request and the next."""
    return [later.at_monotonic - earlier.at_monotonic for earlier, later in pairwise(provider.posts())]


async def posted(server: DaemonProcess, count: int) -> list[str]:
    """POST ``count`` SMS at once; their ids."""
    response = await server.post([SMS] * count)
    ids: list[str] = (await response.json())["ids"]
    return ids


async def readiness(server: DaemonProcess) -> tuple[int, str]:
    """GET /ready: the status and what it says."""
    response = await server.get("/ready")
    return response.code, (await response.json())["message"]


@pytest_twisted.ensureDeferred
async def test_a_429_in_the_middle_stops_all_for_its_time_and_no_message_loses_its_place(
    daemon: Any, provider: Provider
) -> None:
    provider.script([WORKS] * 5 + [answer(429, Retry_After="2")])
    server = daemon(rate="2")
    await server.start()
    first = await server.accepted()
    await until(lambda: provider.stored, "the first second, in which both permits come at once, is over")
    ids = await posted(server, 10)
    await until(lambda: len(provider.stored) == 11, "all have arrived")
    assert references(provider) == [first, *ids[:5], *ids[4:]]
    assert kept(provider) == [first, *ids]
    assert gaps(provider)[5] >= 2.0
    # Half the pace after it: one a second.
    assert min(gaps(provider)[6:]) >= 1.0
    assert '"held"' not in server.output.read_text()


@pytest.mark.parametrize("fault", [INTERNAL, RESETS], ids=["500", "reset"])
@pytest_twisted.ensureDeferred
async def test_several_failures_in_a_row_stop_all_but_single_probes_until_it_recovers(
    daemon: Any, provider: Provider, fault: Behaviour
) -> None:
    provider.script([fault] * 15)
    server = daemon(rate="2", retry_base="0.5", grace="0.2")
    await server.start()
    ids = await posted(server, 20)
    await until(lambda: server.output.read_text().count('"held"'), "the gateway is held")
    code, words = await readiness(server)
    assert (code, "The provider takes nothing" in words) == (503, True)
    await until(lambda: len(provider.stored) == 20, "all 20 have arrived")
    assert sorted(kept(provider)) == sorted(ids)
    # Five seconds of failures make the row; the waits of 0.5, 1, 2 s and more come after it.
    assert max(gaps(provider)[:14]) >= 2.0
    assert (await readiness(server))[0] == 200
    log = server.output.read_text()
    assert (log.count('"held"'), log.count('"released"')) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_a_provider_that_cannot_be_reached_is_found_again_by_a_probe(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="10", retry_base="0.3")
    port = int(provider.url.rpartition(":")[2])
    await provider.stop()
    await server.start()
    ids = await posted(server, 12)

    async def is_held() -> bool:
        return "no connection" in (await readiness(server))[1]

    await until(is_held, "the gateway is held")
    await provider.start(port)
    await until(lambda: len(provider.stored) == 12, "all 12 have arrived")
    assert sorted(references(provider)) == sorted(ids)
    await until(lambda: '"released"' in server.output.read_text(), "the gateway is released")
    assert (await readiness(server))[0] == 200


@pytest_twisted.ensureDeferred
async def test_a_key_that_stops_working_for_a_while_costs_few_requests_and_no_message(
    daemon: Any, provider: Provider
) -> None:
    provider.script([WRONG_KEY] * 3)
    server = daemon(rate="20", retry_base="0.5")
    await server.start()
    ids = await posted(server, 40)
    await until(lambda: len(provider.stored) == 40, "all 40 have arrived")
    assert (len(provider.posts()), kept(provider)) == (43, ids)
    log = server.output.read_text()
    assert (log.count('"held"'), log.count('"released"')) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_a_provider_that_nothing_is_left_to_try_with_keeps_nobody_from_sending(
    daemon: Any, provider: Provider
) -> None:
    provider.script([WRONG_KEY])
    server = daemon(rate="20", retry_base="1", retry_cap="2", grace="0.5")
    await server.start()
    id = await server.accepted(validity=1)
    await until(lambda: server.output.read_text().count('"held"'), "the gateway is held")
    assert (await readiness(server))[0] == 503

    async def is_ready() -> bool:
        return (await readiness(server))[0] == 200

    await until(is_ready, "what it was to be probed with has expired long ago")
    assert (await server.shown(id))["state"] == "expired"
    assert len(provider.posts()) == 1
    provider.script([WRONG_KEY])
    await server.accepted()

    async def is_held_again() -> bool:
        return (await readiness(server))[0] == 503

    await until(is_held_again, "the next one was tried in vain")
    await until(lambda: provider.stored, "and then with success")
    await until(is_ready, "it works")
