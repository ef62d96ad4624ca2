"""What smsd asks of a topic, and says when it is not so."""

import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from pytest_twisted import ensureDeferred

from smsd.core.errors import SpoolRefused, SpoolUnavailable
from smsd.core.lifecycle import State
from smsd.core.notice import unmeasured
from smsd.settings import load
from smsd.spool.kafka.engine import kafka_spool
from smsd.spool.kafka.topics import KEEPING
from smsd.spool.stream.engine import StreamSpool
from smsd.wiring.engines import engine_for
from tests.integration.daemon import until
from tests.messages import ROOM, sms
from tests.stream import authority, kafka_server
from tests.stream.kafka_server import Broker

pytestmark = pytest.mark.engines


def make(broker: Broker, topic: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address})
    settings = {name.replace("_", "."): value for name, value in config.items()}
    admin.create_topics([NewTopic(topic, 1, 1, config=settings)])[topic].result(10)


def described(broker: Broker, topic: str) -> dict[str, str]:
    admin = AdminClient({"bootstrap.servers": broker.address})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return {name: entry.value for name, entry in admin.describe_configs([resource])[resource].result(10).items()}


@ensureDeferred
async def test_a_topic_that_would_forget_is_made_to_keep(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    make(broker, "short", retention_ms="1000", retention_bytes="1000")
    node = kafka_spool(broker.address, "short", ledger=str(tmp_path / "l"), reactor=reactor)
    node.open()
    assert KEEPING.items() <= described(broker, "short").items()
    await node.close()


def test_a_compacted_topic_is_refused(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    make(broker, "compacted", cleanup_policy="compact")
    with pytest.raises(SpoolRefused, match=r"the topic compacted has cleanup\.policy=compact"):
        kafka_spool(broker.address, "compacted", ledger=str(tmp_path / "l"), reactor=reactor).open()


def guarded(broker: Broker, ledger: Path, reactor: Any, **changed: str) -> StreamSpool:
    """A spool behind TLS and a password, set as an operator sets it, but for what is ``changed``."""
    told = broker.keyring() | {f"SMSD_KAFKA_{name.upper()}": value for name, value in changed.items()}
    spool = {"SMSD_SPOOL": f"kafka://{broker.guarded}/guarded", "SMSD_LEDGER": str(ledger)}
    engine = engine_for(load(told | spool, {}, None), reactor, unmeasured, time.time)
    assert isinstance(engine, StreamSpool)
    return engine


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
@ensureDeferred
async def test_what_librdkafka_is_told_opens_a_guarded_door(
    broker: Broker, mechanism: str, tmp_path: Any, reactor: Any
) -> None:
    node = guarded(broker, tmp_path / "l", reactor, sasl_mechanisms=mechanism)
    node.open()
    message = sms()
    await until(lambda: is_appended(node), "the broker is warm")
    await node.append([message], ROOM)
    assert await node.find(message.id) == message
    await node.close()


WRONG_PASSWORD = r"Kafka: sasl_ssl://127\.0\.0\.1:\d+/\w+: SASL authentication error: "
UNKNOWN_AUTHORITY = r"certificate verify failed: .*verify that ssl\.ca\.location is correctly configured"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sasl_password": "wrong"}, f"{WRONG_PASSWORD}.* due to invalid credentials"),
        ({"sasl_password": "wrong", "sasl_mechanisms": "PLAIN"}, f"{WRONG_PASSWORD}.*: Invalid username or password"),
        ({"sasl_mechanisms": "SCRAM-SHA-256"}, "Unsupported SASL mechanism: broker's supported mechanisms: "),
        ({"ssl_ca_location": "another.pem"}, UNKNOWN_AUTHORITY),
        ({"ssl_ca_location": "missing.pem"}, r"ssl\.ca\.location failed: "),
        ({"sasl_mechanisms": "SCRAM-512"}, "Unsupported SASL mechanism: SCRAM-512"),
    ],
)
def test_a_guarded_door_that_stays_shut_says_why(
    broker: Broker, changed: dict[str, str], said: str, tmp_path: Path, reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.certify(tmp_path)
    (tmp_path / "ca.pem").rename(tmp_path / "another.pem")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpoolRefused, match=said):
        guarded(broker, tmp_path / "l", reactor, **changed).open()


def test_a_setting_that_librdkafka_does_not_know_is_named(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    wrong = kafka_spool(broker.address, "x", ledger=str(tmp_path), reactor=reactor, settings={"no.such": "thing"})
    with pytest.raises(SpoolRefused, match=r'Kafka: No such configuration property: "no\.such"'):
        wrong.open()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("127.0.0.1", r"127\.0\.0\.1:1 failed: Connection refused"),
        ("no.such.host.invalid", r"Failed to resolve 'no\.such\.host\.invalid:1'"),
    ],
)
def test_a_broker_that_is_not_there_is_refused_in_words(name: str, said: str, tmp_path: Any, reactor: Any) -> None:
    engine = kafka_spool(f"{name}:1", "sms", ledger=str(tmp_path / "l"), reactor=reactor, patience_s=0.5)
    with pytest.raises(SpoolRefused, match=f"Kafka: .*{said}"):
        engine.open()


def test_a_broker_that_hangs_up_is_asked_after(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    engine = kafka_spool(broker.guarded, "sms", ledger=str(tmp_path / "l"), reactor=reactor, patience_s=0.5)
    with pytest.raises(SpoolRefused, match=f"no broker answers at {broker.guarded}: .* does it speak PLAINTEXT there"):
        engine.open()


def test_a_topic_begins_with_copies_for_all_brokers_that_are_named(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    engine = kafka_spool(f"{broker.address},127.0.0.1:1", "two", ledger=str(tmp_path / "l"), reactor=reactor)
    with pytest.raises(SpoolRefused, match=r"two is missing and cannot be made .* --replication-factor 2 "):
        engine.open()


@ensureDeferred
async def test_ten_thousand_at_once_are_kept_whole(broker: Broker, tmp_path: Any, reactor: Any) -> None:
    one = kafka_spool(broker.address, "many", ledger=str(tmp_path / "one"), reactor=reactor)
    one.open()
    await one.append([sms(body="é" * 600) for _ in range(10_000)], ROOM)
    other = kafka_spool(broker.address, "many", ledger=str(tmp_path / "other"), reactor=reactor)
    other.open()
    assert (await other.standing()).states[State.QUEUED] == 10_000
    await one.close()
    await other.close()


async def is_appended(node: StreamSpool) -> bool:
    try:
        await node.append([sms()], ROOM)
    except SpoolUnavailable:
        return False
    return True


@ensureDeferred
async def test_while_the_broker_is_away_nothing_is_accepted_and_then_all_goes_on(tmp_path: Any, reactor: Any) -> None:
    with kafka_server.broker() as broker:
        node = kafka_spool(broker.address, "sms", ledger=str(tmp_path / "l"), reactor=reactor, lease_s=4.0)
        node.open()
        message = sms()
        await until(lambda: is_appended(node), "the broker is warm")
        await node.append([message], ROOM)
        broker.kill()
        with pytest.raises(SpoolUnavailable, match="Kafka: "):
            await node.append([sms()], ROOM)
        broker.start()
        assert await node.find(message.id) == message
        await until(lambda: is_appended(node), "it accepts again")
        await node.close()
