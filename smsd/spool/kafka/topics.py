"""Sees to it that the topic is there and keeps what it is given, or says what to do."""

from collections.abc import Mapping
from threading import Event
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    NewTopic,
)

from smsd.core.errors import SpoolRefused
from smsd.spool.stream.log import LogTrouble

#: Copies of each entry, where there are as many brokers.
REPLICAS: Final = 3
#: Seconds between two looks at whether a new topic is there.
LOOK_S: Final = 0.1
#: How often a broker is asked for the id of a topic.
TRIES: Final = 5
#: What lets a topic keep all that it was ever given; the brokers' own defaults forget after a week.
KEEPING: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
#: A file of a topic is removed as a whole, and not before another was begun: after an hour (ms), not after a week.
HOURLY: Final = {"segment.ms": "3600000"}
#: After this part of the time a start gives up, if what SMSD_KAFKA_… says does not fit what a broker wants.
EARLY: Final = 1 / 6
_MISFITS: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})


def prepare(settings: Mapping[str, Any], topic: str, *, within_s: float, partitions: int = 1) -> str:
    """Make ``topic`` with ``partitions`` if it is not there, and have it keep what it has; the answer is its id.

    Raises SpoolRefused, with what is to be made if we may not.
    """
    try:
        admin, metadata = _look(settings, within_s)
        if topic not in metadata.topics:
            # Brokers that are down just now count: a topic keeps for ever the number of copies that it began with.
            named = len(set(settings["bootstrap.servers"].split(",")))
            _make(admin, topic, partitions, max(named, len(metadata.brokers)), within_s)
            _await(admin, topic, within_s)
        _check(admin, topic, within_s)
        return _identity(admin, topic, within_s)
    except KafkaException as error:
        raise SpoolRefused(reason=f"Kafka: {_words(error)}") from error


def is_there(settings: Mapping[str, Any], topic: str, *, within_s: float) -> bool:
    """Whether there is a ``topic``. Raises SpoolRefused, with why nobody answers."""
    return topic in _look(settings, within_s)[1].topics


def cut(settings: dict[str, Any], topic: str, first: Mapping[int, int], *, within_s: float) -> None:
    """Let go of what is before the offset ``first[partition]`` of each partition. Raises LogTrouble."""
    ends = [TopicPartition(topic, partition, offset) for partition, offset in first.items()]
    try:
        admin = AdminClient(settings)  # nothing is answered once it is let go of
        for deleted in admin.delete_records(ends, request_timeout=within_s).values():
            deleted.result(within_s)
    except (KafkaException, TimeoutError) as error:
        reason = f"nothing of the topic {topic} can be let go of, which takes DELETE on it: {_words(error)}"
        raise LogTrouble(reason=reason) from error


def _look(settings: Mapping[str, Any], within_s: float) -> tuple[AdminClient, ClusterMetadata]:
    """A client, and the brokers that are up with their topics. Raises SpoolRefused, with why nobody answers."""
    faults: list[KafkaError] = []
    told: dict[str, Any] = {**settings, "error_cb": faults.append}
    admin = AdminClient(told)
    for look_s in (EARLY * within_s, (1 - EARLY) * within_s):
        try:
            return admin, admin.list_topics(timeout=look_s)
        except KafkaException:  # it reads the same for a wrong password and for a broker that is down
            _ = admin.poll(0)  # has the client tell its faults
        if misfits := [each for each in faults if each.code() in _MISFITS]:
            raise SpoolRefused(reason=f"Kafka: {misfits[-1].str()}")
    heard = [each.str() for each in faults if each.code() != KafkaError._ALL_BROKERS_DOWN]
    protocol = settings.get("security.protocol", "PLAINTEXT")
    unheard = f"no broker answers at {settings['bootstrap.servers']}: is it up, and does it speak {protocol} there?"
    raise SpoolRefused(reason=f"Kafka: {heard[-1] if heard else unheard}")


def _make(admin: AdminClient, topic: str, partitions: int, brokers: int, within_s: float) -> None:
    replicas = min(REPLICAS, brokers)
    config = {**KEEPING, **HOURLY, "min.insync.replicas": str(max(1, replicas - 1))}
    new = NewTopic(topic, num_partitions=partitions, replication_factor=replicas, config=config)
    try:
        admin.create_topics([new], operation_timeout=within_s, request_timeout=within_s)[topic].result(within_s)
    except (KafkaException, TimeoutError) as error:
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return  # another node was faster
        words = " ".join(f"--config {name}={value}" for name, value in config.items())
        raise SpoolRefused(
            reason=f"the topic {topic} is missing and cannot be made ({_words(error)}). Make it: kafka-topics.sh"
            f" --create --topic {topic} --partitions {partitions} --replication-factor {replicas} {words}"
        ) from error


def _await(admin: AdminClient, topic: str, within_s: float) -> None:
    # Brokers learn of a new topic one after the other.
    never = Event()
    for _ in range(round(within_s / LOOK_S)):
        found = admin.list_topics(timeout=within_s).topics.get(topic)
        if found is not None and found.partitions and all(each.leader >= 0 for each in found.partitions.values()):
            return
        never.wait(LOOK_S)


def _check(admin: AdminClient, topic: str, within_s: float) -> None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    try:
        config = admin.describe_configs([resource], request_timeout=within_s)[resource].result(within_s)
    except (KafkaException, TimeoutError):
        return  # a role that may not look can still write
    found = {name: config[name].value for name in KEEPING if name in config}
    # A compacted topic belongs to somebody else: nothing of ours has a key.
    if (policy := found.pop("cleanup.policy", "delete")) != "delete":
        raise SpoolRefused(reason=f"the topic {topic} has cleanup.policy={policy}: messages would be lost, use another")
    forgetful = {name: KEEPING[name] for name, value in found.items() if value != KEEPING[name]}
    if forgetful:
        _alter(admin, topic, forgetful, within_s)


def _alter(admin: AdminClient, topic: str, config: Mapping[str, str], within_s: float) -> None:
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    try:
        admin.incremental_alter_configs([resource], request_timeout=within_s)[resource].result(within_s)
    except (KafkaException, TimeoutError) as error:
        words = ",".join(f"{name}={value}" for name, value in config.items())
        raise SpoolRefused(
            reason=f"the topic {topic} forgets messages, and that cannot be changed ({_words(error)}). Change it:"
            f" kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {words}"
        ) from error


def _identity(admin: AdminClient, topic: str, within_s: float) -> str:
    never = Event()
    for _ in range(TRIES):  # a broker may not have heard of a new topic yet
        try:
            described = admin.describe_topics(TopicCollection([topic]), request_timeout=within_s)
            return str(described[topic].result(within_s).topic_id)
        except (KafkaException, TimeoutError) as error:
            why = _words(error)
            never.wait(LOOK_S)
    # Without it a topic that was made anew would be taken for the one before, and its ledgers for ours.
    raise SpoolRefused(reason=f"the topic {topic} does not tell its id, which takes DESCRIBE on it: {why}")


def _words(error: Exception) -> str:
    fault = error.args[0] if error.args else "no answer"
    return fault.str() if isinstance(fault, KafkaError) else str(fault)
