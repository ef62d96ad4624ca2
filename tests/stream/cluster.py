"""Whole daemons on one stream, and what must hold of what they sent."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count, pairwise
from pathlib import Path

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.task import deferLater
from twisted.web.client import RequestTransmissionFailed, ResponseFailed

from smsd.spool.stream.engine import LEASE_S
from tests.integration.daemon import ROOT, SMS, DaemonProcess, until
from tests.integration.provider import Provider
from tests.unit.pipeline.world import most_within

RATE = 20
COUNT = 300
#: Seconds within which another node has become the sender after the death of one.
FOLLOWED_S = 10.0
#: Messages in a request of who posts all the time, and how many are taken before he keeps to the rate.
AT_ONCE, AHEAD = 5, 3 * RATE


@attrs.define
class Cluster:
    """Daemons on one stream, and the one provider."""

    folder: Path
    provider: Provider
    environment: dict[str, str]
    nodes: list[DaemonProcess] = attrs.field(factory=list)

    async def node(self, python_path: str = str(ROOT), **more: str) -> DaemonProcess:
        """Start one more, which finds its modules in ``python_path``."""
        folder = self.folder / f"node{len(self.nodes)}"
        folder.mkdir()
        settings = {"rate": str(RATE), "grace": "1", "retry_base": "0.5", **more}
        node = DaemonProcess(folder, self.provider.url, **settings)
        node.environment |= self.environment | {"PYTHONPATH": python_path}
        self.nodes.append(node)
        await node.start()
        return node

    async def node_whose_clock_is(self, ahead_s: int, **more: str) -> DaemonProcess:
        """Start one more, whose clock is ``ahead_s`` seconds ahead."""
        folder = self.folder / f"clock{ahead_s}"
        folder.mkdir()
        wrong = f"import time\nright = time.time\ntime.time = lambda: right() + {ahead_s}\n"
        (folder / "sitecustomize.py").write_text(wrong)
        return await self.node(f"{folder}:{ROOT}", **more)

    def signal(self, node: DaemonProcess, number: int) -> None:
        """Send ``node`` a signal."""
        assert node.process is not None
        node.process.send_signal(number)

    def sent_since(self, moment: float) -> list[float]:
        """When requests arrived after ``moment``, in monotonic seconds."""
        return [each.at_monotonic for each in self.provider.posts() if each.at_monotonic > moment]

    async def sender(self) -> DaemonProcess:
        """The node that sends; there must be something left to send."""
        before = [await _attempts(node) for node in self.nodes]

        async def found() -> DaemonProcess | None:
            for node, attempts in zip(self.nodes, before, strict=True):
                if await _attempts(node) > attempts:
                    return node
            return None

        node: DaemonProcess = await until(found, "a node sends")
        return node

    async def is_followed(self, gone_at: float) -> None:
        """Wait until another node sends after the sender was killed, or cut off; fail if that takes too long."""
        # What that one had begun may arrive just after.
        begun_s = 0.5
        await until(lambda: self.sent_since(gone_at + begun_s), "another node sends", within_s=FOLLOWED_S - begun_s)

    @asynccontextmanager
    async def is_posted_to(self) -> AsyncIterator[list[str]]:
        """Meanwhile messages are posted at the rate, by somebody who asks the next node if one fails him.

        The ids of those that were taken; at the end these are all that he posted.
        """
        ids: list[str] = []
        is_over = False

        async def post() -> None:
            for number in count():
                if is_over:
                    return
                ids.extend(await self._taken(number))
                if len(ids) > AHEAD:
                    await deferLater(reactor, AT_ONCE / RATE)

        posting = Deferred.fromCoroutine(post())
        try:
            yield ids
        finally:
            is_over = True
            await posting

    async def _taken(self, number: int) -> list[str]:
        """The ids of a request that some node takes: at first the one whose turn it is."""
        turns = count(number)

        async def answered() -> list[str] | None:
            node = self.nodes[next(turns) % len(self.nodes)]
            try:
                response = await node.post([SMS] * AT_ONCE, Idempotency_Key=f"request-{number}")
                answer = await response.json()
            except (ConnectError, RequestTransmissionFailed, ResponseFailed):
                return None
            assert response.code in (200, 503), answer
            ids: list[str] | None = answer.get("ids")
            return ids

        ids: list[str] = await until(answered, "a node takes them")
        return ids

    async def holds_while_restarted(self) -> None:
        """Restart each node after the other while messages are posted and sent; then they are all sent, as agreed."""
        async with self.is_posted_to() as ids:
            for node in self.nodes:
                await self.sends_on()
                assert await node.terminate() == 0
                await self.sends_on()
                await node.start()
            await self.sends_on()
        await self.holds(ids, self.nodes[0])

    async def holds_while_cut(self, ids: list[str], cuts: Sequence[Callable[[bool], None]]) -> None:
        """Cut the node that sends from its stream, and let it back: it stops and says so, and another goes on.

        ``cuts`` are called with whether to cut, one for each of the two nodes. Then all ``ids`` are sent, as agreed.
        """
        # Either may be the one: who first has something to send, or to look after, takes the lane.
        sender = await self.sender()
        [standby] = [node for node in self.nodes if node is not sender]
        cut = cuts[self.nodes.index(sender)]
        cut(True)
        cut_at = time.monotonic()
        response = await sender.post(SMS)
        assert (response.code, response.headers.hasHeader("Retry-After")) == (503, True)
        await until(lambda: says(sender, 503), "it says that it does not work", within_s=15.0)
        assert await says(standby, 200)
        ids = ids + await accepted([standby], 10)
        await self.is_followed(cut_at + LEASE_S)
        cut(False)
        await until(lambda: says(sender, 200), "it works again", within_s=30.0)
        await self.holds(ids, sender, others=1)
        # Between what the one had begun and what the other began nobody sent: whose lane it was was clear.
        arrivals = self.sent_since(0.0)
        assert any(after > cut_at and after - before > LEASE_S / 2 for before, after in pairwise(arrivals))

    async def sends_on(self) -> None:
        """Wait until a second's worth more is sent."""
        before = len(self.provider.stored)
        await until(lambda: len(self.provider.stored) >= before + RATE, "more are sent", within_s=20.0)

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
    """The ids of ``count`` messages that ``nodes`` took in turns, up to ten in a request."""
    ids: list[str] = []
    for number, start in enumerate(range(0, count, 10)):
        response = await nodes[number % len(nodes)].post([SMS] * min(10, count - start))
        answer = await response.json()
        assert response.code == 200, answer
        ids += answer["ids"]
    return ids


async def says(node: DaemonProcess, code: int) -> bool:
    """Whether /ready answers ``code``."""
    return bool((await node.get("/ready")).code == code)


async def _attempts(node: DaemonProcess) -> float:
    text = await (await node.get("/metrics")).text()
    lines = (line for line in text.splitlines() if line.startswith("smsd_attempts_total{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
