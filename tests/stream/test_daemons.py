"""Whole daemons on one stream, and the provider counts: one is killed and comes back, or the broker is."""

import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
import treq
from pytest_twisted import ensureDeferred
from twisted.internet.task import deferLater

from smsd.spool.stream.engine import LEASE_S
from tests.integration.daemon import KEY, SMS, DaemonProcess, until
from tests.integration.hook import Hook
from tests.integration.provider import UNPROCESSABLE, Provider
from tests.stream import kafka_server, kinesis_server
from tests.stream.kafka_server import Broker
from tests.stream.kinesis_proxy import proxy
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.engines

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


@pytest_twisted.async_yield_fixture
async def provider(reactor: Any) -> AsyncIterator[Provider]:
    provider = Provider(reactor)
    await provider.start()
    yield provider
    await provider.stop()


def on_kafka(broker: Broker, topic: str) -> dict[str, str]:
    return {"SMSD_SPOOL": f"kafka://{broker.address}/{topic}"}


@pytest.fixture
def cluster(request: Any, tmp_path: Path, provider: Provider) -> Iterator[Cluster]:
    """Has no nodes yet; the stream is the test's own."""
    cluster = Cluster(tmp_path, provider, {})
    yield cluster
    for node in cluster.nodes:
        if node.process is not None and node.process.poll() is None:
            node.process.kill()
            node.process.wait()


async def accepted(nodes: list[DaemonProcess], count: int) -> list[str]:
    """The ids of ``count`` messages that ``nodes`` took in turns, ten in a request."""
    ids: list[str] = []
    for number in range(count // 10):
        response = await nodes[number % len(nodes)].post([SMS] * 10)
        answer = await response.json()
        assert response.code == 200, answer
        ids += answer["ids"]
    return ids


@ensureDeferred
async def test_when_the_sender_is_killed_another_follows_within_ten_seconds_and_it_may_come_back(
    cluster: Cluster, broker: Broker
) -> None:
    cluster.environment = on_kafka(broker, "killed")
    sender, standby = await cluster.node(), await cluster.node()
    ids = await accepted([sender, standby], COUNT)
    await until(lambda: len(cluster.provider.stored) > 80, "some are sent")
    await sender.kill()
    await cluster.is_followed(time.monotonic())
    await sender.start()
    await until(lambda: len(cluster.provider.stored) > 180, "more are sent")
    await standby.kill()
    await cluster.is_followed(time.monotonic())
    await standby.start()
    await cluster.holds(ids, standby)
    for node in (sender, standby):
        assert (await node.shown(ids[0]))["state"] == "sent"
        assert await node.terminate() == 0


@ensureDeferred
async def test_a_sender_that_was_stopped_for_longer_than_its_lease_sends_nothing_more(
    cluster: Cluster, broker: Broker, reactor: Any
) -> None:
    cluster.environment = on_kafka(broker, "stopped")
    nodes = [await cluster.node(), await cluster.node()]
    ids = await accepted(nodes, COUNT)
    await until(lambda: len(cluster.provider.stored) > 40, "some are sent")
    too_long_s = LEASE_S + 3.0
    for stopped, stop_s in ((0, 0.3), (0, 1.0), (0, too_long_s), (1, 0.5), (1, too_long_s)):
        cluster.signal(nodes[stopped], signal.SIGSTOP)
        await deferLater(reactor, stop_s)
        cluster.signal(nodes[stopped], signal.SIGCONT)
        await deferLater(reactor, 0.5)
    await cluster.holds(ids, nodes[0])


@ensureDeferred
async def test_what_is_accepted_while_a_node_dies_is_either_refused_or_sent_once(
    cluster: Cluster, broker: Broker
) -> None:
    cluster.environment = on_kafka(broker, "posted")
    one, other = await cluster.node(), await cluster.node()
    ids = [(await (await one.post(SMS)).json())["id"] for _ in range(20)]
    await one.kill()
    ids += [(await (await other.post(SMS)).json())["id"] for _ in range(20)]
    await one.start()
    ids += await accepted([one, other], 60)
    await cluster.holds(ids, one)


@ensureDeferred
async def test_when_the_broker_dies_nothing_is_accepted_and_when_it_is_back_all_goes_on(
    cluster: Cluster,
) -> None:
    with kafka_server.broker() as broker:
        cluster.environment = on_kafka(broker, "sms")
        nodes = [await cluster.node(), await cluster.node()]
        ids = await accepted(nodes, COUNT // 2)
        await until(lambda: len(cluster.provider.stored) > 50, "some are sent")
        broker.kill()
        for node in nodes:
            response = await node.post(SMS)
            assert (response.code, response.headers.hasHeader("Retry-After")) == (503, True)
        killed_at = time.monotonic()
        for node in nodes:
            await until(lambda node=node: says(node, 503), "it says that it does not work", within_s=10.0)
        # An attempt must be in the log before it is made: what goes out now had been written before.
        assert not cluster.sent_since(killed_at + 1.0)
        broker.start()

        async def takes_again() -> bool:
            answer = await (await nodes[1].post(SMS, Idempotency_Key="again")).json()
            return "id" in answer and bool(ids.append(answer["id"]) or True)

        await until(takes_again, "it takes messages again")
        # What was answered 503 may have been kept; who was told so may ask again under a key, and these had none.
        await until(lambda: len(cluster.provider.stored) >= len(ids), "all are sent", within_s=120.0)
        sent = Counter(shown["reference"] for shown in cluster.provider.stored.values())
        assert set(ids) <= set(sent)
        assert max(sent.values()) == 1
        assert most_within([each.at_monotonic for each in cluster.provider.posts()], 1.0) <= RATE


async def says(node: DaemonProcess, code: int) -> bool:
    """Whether /ready answers ``code``."""
    return bool((await node.get("/ready")).code == code)


async def ask(node: DaemonProcess, method: str, path: str) -> tuple[int, Any]:
    response = await treq.request(method, node.url + path, headers={"X-API-Key": KEY}, persistent=False)
    return response.code, await response.json()


@ensureDeferred
async def test_every_node_answers_for_every_message(cluster: Cluster, broker: Broker) -> None:
    receiver = Hook().start()
    cluster.environment = on_kafka(broker, "answers") | {"SMSD_CALLBACK_PRIVATE": "yes"}
    sender, standby = await cluster.node(), await cluster.node()
    id = await standby.accepted(callback_url=receiver.url)
    assert (await sender.shown(id))["id"] == id

    async def has_state(id: str, state: str) -> bool:
        return bool((await standby.shown(id))["state"] == state)

    await until(lambda: has_state(id, "sent"), "it is sent, as the other node says too")
    await until(lambda: "sms.sent" in receiver.told(id), "the receiver is told")

    later = await sender.accepted(send_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert (await ask(standby, "DELETE", f"/sms/{later}"))[1]["state"] == "canceled"
    assert (await ask(sender, "DELETE", f"/sms/{later}"))[0] == 409

    first = await (await sender.post(SMS, Idempotency_Key="k")).json()
    again = await (await standby.post(SMS, Idempotency_Key="k")).json()
    assert again["id"] == first["id"]
    assert (await standby.post(SMS | {"message": "other"}, Idempotency_Key="k")).code == 422

    await until(lambda: has_state(first["id"], "sent"), "it is sent")
    cluster.provider.script([UNPROCESSABLE])
    dead = await standby.accepted()
    await until(lambda: has_state(dead, "dead"), "it is dead")
    assert (await ask(standby, "POST", f"/sms/{dead}/replay"))[0] == 200
    await until(lambda: has_state(dead, "sent"), "it is sent after all")
    await receiver.stop()


@ensureDeferred
async def test_nodes_may_share_a_folder(cluster: Cluster, broker: Broker) -> None:
    cluster.environment = on_kafka(broker, "folder") | {"SMSD_LEDGER": str(cluster.folder / "ledger.db")}
    one, other = await cluster.node(), await cluster.node()
    id = await other.accepted()
    assert (await one.shown(id))["id"] == id
    assert (cluster.folder / "ledger-2.db").exists()


@ensureDeferred
async def test_one_node_on_kinesis_is_killed_and_comes_back(cluster: Cluster) -> None:
    with kinesis_server.server() as url:
        cluster.environment = kinesis_server.settings(url)
        node = await cluster.node(spool="kinesis://sms", kinesis_create="yes")
        ids = await accepted([node], COUNT)
        await until(lambda: len(cluster.provider.stored) > 80, "some are sent")
        await node.kill()
        await node.start()
        await cluster.is_followed(time.monotonic())
        await cluster.holds(ids, node)
        assert await node.terminate() == 0


@ensureDeferred
async def test_a_node_that_is_cut_from_its_stream_stops_and_says_so_and_the_other_goes_on(
    cluster: Cluster, kinesis: str
) -> None:
    with proxy(kinesis) as way:
        stream = {"spool": "kinesis://cut", "kinesis_create": "yes"}
        cluster.environment = kinesis_server.settings(way.url)
        sender = await cluster.node(**stream)
        cluster.environment = kinesis_server.settings(kinesis)
        standby = await cluster.node(**stream)
        ids = await accepted([sender, standby], COUNT // 2)
        await until(lambda: len(cluster.provider.stored) > 30, "some are sent")
        way.is_cut = True
        cut_at = time.monotonic()
        response = await sender.post(SMS)
        assert (response.code, response.headers.hasHeader("Retry-After")) == (503, True)
        await until(lambda: says(sender, 503), "it says that it does not work", within_s=15.0)
        assert await says(standby, 200)
        ids += await accepted([standby], 10)
        way.is_cut = False
        await until(lambda: says(sender, 200), "it works again")
        await cluster.holds(ids, sender, others=1)
        # Between what the one had begun and what the other began nobody sent: whose lane it was was clear.
        arrivals = cluster.sent_since(0.0)
        assert any(after > cut_at and after - before > LEASE_S / 2 for before, after in pairwise(arrivals))


@ensureDeferred
async def test_a_stream_that_is_missing_is_named_with_what_makes_it(cluster: Cluster) -> None:
    with kinesis_server.server() as url:
        cluster.environment = kinesis_server.settings(url)
        with pytest.raises(AssertionError, match=r"aws kinesis create-stream --stream-name sms --shard-count 1"):
            await cluster.node(spool="kinesis://sms")
