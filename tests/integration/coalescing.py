"""What daemons do that send by Bird what waits together, several SMS in a request, while they are killed."""

from collections import Counter
from collections.abc import Sequence

from tests.integration.bird_provider import BirdProvider
from tests.integration.daemon import SMS, DaemonProcess, until
from tests.unit.pipeline.world import most_within

#: Requests a second.
RATE = 2


def settings(bird: BirdProvider) -> dict[str, str]:
    """The environment of a daemon that does so."""
    return {
        "SMSD_GATEWAY": "bird",
        "SMSD_BIRD_KEY": "bk_eu1_secret",
        "SMSD_BIRD_URL": bird.url,
        "SMSD_COALESCE": "yes",
        "SMSD_RATE": str(RATE),
        "SMSD_TIMEOUT": "5",
        "SMSD_GRACE": "1",
        "SMSD_RETRY_BASE": "0.5",
    }


async def goes_out_once(nodes: Sequence[DaemonProcess], bird: BirdProvider) -> None:
    """Have ``nodes`` send 400 SMS, some with trouble, and be killed and started in turn; then each is there once."""
    bird.script.extend(["works", "withheld", "works", "cut"])
    ids: list[str] = []
    for number in range(8):
        response = await nodes[number % len(nodes)].post([SMS] * 50)
        ids += (await response.json())["ids"]
    for node, arrivals in zip(nodes, (2, 4), strict=False):
        await until(lambda arrivals=arrivals: len(bird.arrived) >= arrivals, "a request arrives")
        await node.kill()
        await node.start()
    bird.script.append("broken")  # for a node that lives to read the answer: else it cannot but trust the key

    async def are_sent() -> bool:
        shown = await (await nodes[0].get("/sms?state=sent&limit=1000")).json()
        return len(shown["sms"]) == len(ids)

    await until(are_sent, "all are sent", 120)
    assert Counter(bird.references()) == Counter(ids)
    assert len(bird.arrived) < len(ids) / 10
    assert most_within([at for at, _, _ in bird.arrived], 1.0) <= RATE
