"""Moving to the provider's successor with the backlog in place."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest_twisted

from tests.integration.bird_provider import BirdProvider
from tests.integration.daemon import free_port, until


@pytest_twisted.async_yield_fixture
async def bird() -> AsyncIterator[BirdProvider]:
    provider = BirdProvider().start()
    yield provider
    await provider.stop()


def moved(server: Any, bird: BirdProvider, gateway: str = "bird") -> None:
    """Set ``server`` to send by Bird from its next start on."""
    server.environment |= {
        "SMSD_GATEWAY": gateway,
        "SMSD_BIRD_KEY": "bk_eu1_secret",
        "SMSD_BIRD_URL": bird.url,
        "SMSD_RATE": "10",
    }


@pytest_twisted.ensureDeferred
async def test_what_was_taken_under_one_gateway_goes_out_under_the_other_once(
    daemon: Any, provider: Any, bird: BirdProvider
) -> None:
    bird.script.extend(["cut", "500", "422"])
    server = daemon(rate="1", grace="0.5", retry_base="0.2")
    await server.start()
    ids = [await server.accepted(reference=f"n{n}") for n in range(6)]
    await until(lambda: provider.stored, "the first is sent by the classic gateway")
    assert await server.terminate() == 0
    gone = [each["reference"] for each in provider.stored.values()]
    moved(server, bird)
    await server.start()

    async def states() -> Counter[str]:
        return Counter([(await server.shown(id))["state"] for id in ids])

    async def is_settled() -> bool:
        return (await states()) == Counter(sent=5, dead=1)

    await until(is_settled, "all are settled")
    assert len(bird.stored) == 6 - 1 - len(gone)
    [dead] = [shown for id in ids if (shown := await server.shown(id))["state"] == "dead"]
    assert "That is no number of a phone." in dead["error"]


@pytest_twisted.ensureDeferred
async def test_the_second_takes_over_while_the_first_is_away(daemon: Any, bird: BirdProvider) -> None:
    server = daemon(rate="10", retry_base="0.2", failover="1")
    moved(server, bird, "messagebird,bird")
    server.environment["SMSD_MESSAGEBIRD_URL"] = f"http://127.0.0.1:{free_port()}"
    await server.start()
    ids = [await server.accepted() for _ in range(12)]
    await until(lambda: len(bird.stored) >= len(ids) - 1, "the second takes them", 60)

    async def are_sent() -> bool:
        return all([(await server.shown(id))["state"] == "sent" for id in ids])

    await until(are_sent, "all are sent")
