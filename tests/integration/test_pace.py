from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from tests.integration.daemon import until
from tests.integration.provider import Provider
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.timed


@pytest_twisted.ensureDeferred
async def test_at_the_providers_socket_no_second_holds_more_than_the_rate_and_it_is_used(
    daemon: Any, provider: Provider
) -> None:
    server = daemon(rate="5")
    await server.start()
    posts = [Deferred.fromCoroutine(server.accepted()) for _ in range(60)]
    ids = await gatherResults(posts)
    await until(lambda: len(provider.stored) == 60, "all 60 have arrived")
    times = [arrival.at_monotonic for arrival in provider.posts()]
    assert most_within(times, 1.0) <= 5
    assert 59 / (max(times) - min(times)) >= 4.5
    assert sorted(ids) == sorted(kept["reference"] for kept in provider.stored.values())


@pytest_twisted.ensureDeferred
async def test_a_fractional_rate_is_kept(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="0.5")
    await server.start()
    for _ in range(3):
        await server.accepted()
    await until(lambda: len(provider.stored) == 3, "all 3 have arrived")
    times = sorted(arrival.at_monotonic for arrival in provider.posts())
    assert most_within(times, 2.0) == 1
