"""Whole daemons on one topic: one is killed and comes back, or stops for a while, or the broker is gone."""

import secrets
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import treq
from pytest_twisted import ensureDeferred
from twisted.internet.task import deferLater

from smsd.core.letter import read
from smsd.spool.kafka.keyed import KeyedTopic
from smsd.spool.stream.engine import LEASE_S
from tests.integration import coalescing
from tests.integration.daemon import KEY, SMS, DaemonProcess, free_port, until
from tests.integration.hook import Hook
from tests.integration.provider import UNPROCESSABLE
from tests.stream import authority, kafka_server
from tests.stream.cluster import COUNT, RATE, Cluster, accepted, says
from tests.stream.kafka_server import Broker
from tests.stream.pipe import Pipe
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.engines


def on_kafka(broker: Broker, topic: str) -> dict[str, str]:
    return {"SMSD_SPOOL": f"kafka://{broker.address}/{topic}"}


async def ask(node: DaemonProcess, method: str, path: str) -> tuple[int, Any]:
    response = await treq.request(method, node.url + path, headers={"X-API-Key": KEY}, persistent=False)
    return response.code, await response.json()


@ensureDeferred
async def test_when_the_sender_is_killed_another_follows_within_ten_seconds_and_it_may_come_back(
    cluster: Cluster, broker: Broker
) -> None:
    cluster.environment = on_kafka(broker, "killed")
    nodes = [await cluster.node(), await cluster.node()]
    ids = await accepted(nodes, COUNT)
    await until(lambda: len(cluster.provider.stored) > 80, "some are sent")
    sender = await cluster.sender()
    [standby] = [node for node in nodes if node is not sender]
    await sender.kill()
    await cluster.is_followed(time.monotonic())
    await sender.start()
    await until(lambda: len(cluster.provider.stored) > 180, "more are sent")
    await standby.kill()
    await cluster.is_followed(time.monotonic())
    await standby.start()
    await cluster.holds(ids, standby)
    for node in nodes:
        assert (await node.shown(ids[0]))["state"] == "sent"
        assert await node.terminate() == 0


@ensureDeferred
async def test_nodes_are_restarted_one_after_the_other_while_they_are_at_work(cluster: Cluster, broker: Broker) -> None:
    cluster.environment = on_kafka(broker, "rolling")
    for _ in range(3):
        await cluster.node()
    await cluster.holds_while_restarted()


@ensureDeferred
async def test_clocks_may_be_two_minutes_apart(cluster: Cluster, broker: Broker) -> None:
    cluster.environment = on_kafka(broker, "clocks")
    for ahead_s in (60, -60):
        await cluster.node_whose_clock_is(ahead_s)
    ids = await accepted(cluster.nodes, COUNT // 2)
    await until(lambda: len(cluster.provider.stored) > 40, "some are sent")
    sender = await cluster.sender()
    [standby] = [node for node in cluster.nodes if node is not sender]
    await sender.kill()
    await cluster.is_followed(time.monotonic())
    await sender.start()
    ids += await accepted(cluster.nodes, 40)
    await cluster.holds(ids, standby)


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


@ensureDeferred
async def test_a_node_that_is_cut_from_the_broker_stops_and_says_so_and_the_other_goes_on(cluster: Cluster) -> None:
    doors = [free_port(), free_port()]
    pipes = [Pipe(door) for door in doors]
    with kafka_server.broker(pipes=[(door, pipe.number) for door, pipe in zip(doors, pipes, strict=True)]):
        for pipe in pipes:
            await cluster.node(spool=f"kafka://{pipe.address}/cut")
        ids = await accepted(cluster.nodes, COUNT)
        await until(lambda: len(cluster.provider.stored) > 30, "some are sent")
        await cluster.holds_while_cut(ids, [pipe.cut for pipe in pipes])
        for node in cluster.nodes:
            assert await node.terminate() == 0
    for pipe in pipes:
        await pipe.close()


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
async def test_dead_letters_go_into_a_topic_of_their_own(cluster: Cluster, broker: Broker) -> None:
    name = f"alive-{secrets.token_hex(4)}"
    cluster.environment = on_kafka(broker, name)
    node = await cluster.node(archive=f"kafka://{broker.address}/{name}-dead")
    cluster.provider.script([UNPROCESSABLE])
    dead = await node.accepted()
    topic = KeyedTopic(broker.address, f"{name}-dead", settings={}, patience_s=10.0)
    await until(topic.is_there, "the topic is made")
    [record] = await until(lambda: list(topic.read()), "the letter is there")
    assert (record.key() or b"").decode().endswith(f"/{dead}.json")
    assert read(record.value() or b"").id == dead


@ensureDeferred
async def test_nodes_may_share_a_folder(cluster: Cluster, broker: Broker) -> None:
    cluster.environment = on_kafka(broker, "folder") | {"SMSD_LEDGER": str(cluster.folder / "ledger.db")}
    one, other = await cluster.node(), await cluster.node()
    id = await other.accepted()
    assert (await one.shown(id))["id"] == id
    assert (cluster.folder / "ledger-2.db").exists()


@ensureDeferred
async def test_what_waits_together_goes_out_once_though_both_nodes_are_killed(
    cluster: Cluster, broker: Broker, bird: Any
) -> None:
    cluster.environment = on_kafka(broker, "together") | coalescing.settings(bird)
    await coalescing.goes_out_once([await cluster.node(), await cluster.node()], bird)


@ensureDeferred
async def test_a_daemon_sends_through_tls_and_a_password_and_says_why_it_cannot_start(
    cluster: Cluster, broker: Broker
) -> None:
    opens = broker.keyring() | {"SMSD_SPOOL": f"kafka://{broker.guarded}/guarded-daemon"}
    authority.certify(cluster.folder)
    for changed, said in (
        ({"SMSD_KAFKA_SASL_PASSWORD": "wrong"}, "SASL authentication error: "),
        ({"SMSD_KAFKA_SSL_CA_LOCATION": str(cluster.folder / "ca.pem")}, "verify that ssl.ca.location is correctly"),
    ):
        shut = DaemonProcess(cluster.folder, cluster.provider.url)
        shut.environment |= opens | changed
        shut.spawn()
        assert await shut.ended() == 1
        [line] = [each for each in shut.output.read_text().splitlines() if said in each]
        assert "smsd cannot start: The spool cannot be opened: Kafka: sasl_ssl://127.0.0.1:" in line
    cluster.environment = opens
    node = await cluster.node()
    ids = await accepted([node], RATE)
    await cluster.holds(ids, node)
    assert await node.terminate() == 0


@ensureDeferred
async def test_a_topic_is_cut_back_at_work_and_a_new_node_knows_of_all_that_was_in_it(
    cluster: Cluster, broker: Broker
) -> None:
    name = f"cut-back-{secrets.token_hex(4)}"
    cluster.environment = on_kafka(broker, name) | {"SMSD_SNAPSHOT": "0.0005"}
    nodes = [await cluster.node(), await cluster.node()]
    async with cluster.is_posted_to() as ids:
        await until(lambda: broker.first_of(name) > 0, "the topic is cut back")
        sender = await cluster.sender()
        await sender.kill()
        killed_at = time.monotonic()
        cut_at = broker.first_of(name)
        await cluster.is_followed(killed_at)
        await until(lambda: broker.first_of(name) > cut_at, "the next sender cuts it back as well")
        new = await cluster.node()
        await cluster.sends_on()
        await sender.start()
    for node in nodes:
        assert await node.terminate() == 0
    await cluster.holds(ids, new)
    assert (await new.shown(ids[0]))["state"] == "sent"
    assert "begins from the snapshot at" in new.output.read_text()
