"""Whole daemons on one stream, and what must hold of what they sent."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import attrs

from tests.integration.daemon import SMS, DaemonProcess, until
from tests.integration.provider import Provider
from tests.unit.pipeline.world import most_within

RATE = 20
COUNT = 300
#: Seconds within which another node has become the sender after the death of one.
FOLLOWED_S = 10.0


@attrs.define
class Cluster:
    """Daemons on one stream, and the one provider."""

    folder: Path
    provider: Provider
    environment: dict[str, str]
    nodes: list[DaemonProcess] = attrs.field(factory=list)

    async def node(self, **more: str) -> DaemonProcess:
        """Start one more."""
        folder = self.folder / f"node{len(self.nodes)}"
        folder.mkdir()
        settings = {"rate": str(RATE), "grace": "1", "retry_base": "0.5", **more}
        node = DaemonProcess(folder, self.provider.url, **settings)
        node.environment |= self.environment
        self.nodes.append(node)
        await node.start()
        return node

    def signal(self, node: DaemonProcess, number: int) -> None:
        """Send ``node`` a signal."""
        assert node.process is not None
        node.process.send_signal(number)

    def sent_since(self, moment: float) -> list[float]:
        """When requests arrived after ``moment``, in monotonic seconds."""
        return [each.at_monotonic for each in self.provider.posts() if each.at_monotonic > moment]

    async def is_followed(self, killed_at: float) -> None:
        """Wait until another node sends; fail if that takes too long."""
        # What the dead one had begun may arrive just after its death.
        begun_s = 0.5
        await until(lambda: self.sent_since(killed_at + begun_s), "another node sends", within_s=FOLLOWED_S - begun_s)

    async def holds(self, ids: list[str], asked: DaemonProcess, others: int = 0) -> None:
        """Wait until all ``ids`` are sent, as ``asked`` says; then none is lost, none was sent twice or too fast.

        Up to ``others`` that were answered 503 may have been kept all the same.
        """

        async def are_sent() -> bool:
            found = await (await asked.get("/sms?state=sent&limit=1000")).json()
            return len(found["sms"]) >= len(ids)

        await until(are_sent, "all are written down as sent", within_s=120.0)
        sent = Counter(shown["reference"] for shown in self.provider.stored.values())
        assert set(ids) <= set(sent)
        assert len(sent) <= len(ids) + others
        assert max(sent.values()) == 1
        arrivals = [each.at_monotonic for each in self.provider.posts()]
        assert most_within(arrivals, 1.0) <= RATE
        gap_s = max(after - before for before, after in pairwise(arrivals))
        a_second = len(arrivals) / (arrivals[-1] - arrivals[0])
        print(f"{len(arrivals)} requests, {a_second:.1f} a second, longest gap {gap_s:.1f} s")


async def accepted(nodes: list[DaemonProcess], count: int) -> list[str]:
    """The ids of ``count`` messages that ``nodes`` took in turns, ten in a request."""
    ids: list[str] = []
    for number in range(count // 10):
        response = await nodes[number % len(nodes)].post([SMS] * 10)
        answer = await response.json()
        assert response.code == 200, answer
        ids += answer["ids"]
    return ids


async def says(node: DaemonProcess, code: int) -> bool:
    """Whether /ready answers ``code``."""
    return bool((await node.get("/ready")).code == code)
