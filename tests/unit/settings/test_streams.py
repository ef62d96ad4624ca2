"""What an operator may write about streams, and what smsd makes of it."""

import time
from pathlib import Path

import pytest

from smsd.core.notice import unmeasured
from smsd.settings import Settings, SettingsError, load
from smsd.settings.types import KafkaUrl, KinesisSpoolUrl
from smsd.spool.stream.engine import StreamSpool
from smsd.wiring.engines import engine_for


def from_env(**values: str) -> Settings:
    return load({f"SMSD_{name.upper()}": text for name, text in values.items()}, {}, None)


def passed(settings: Settings) -> dict[str, str]:
    return {name: value.reveal() for name, value in settings.kafka}


@pytest.mark.parametrize(
    ("text", "brokers", "topic"),
    [
        ("kafka://127.0.0.1:9092/sms", "127.0.0.1:9092", "sms"),
        ("kafka://a:1,b-2.example:65535,[::1]:9092/sms.out_1-x", "a:1,b-2.example:65535,[::1]:9092", "sms.out_1-x"),
    ],
)
def test_a_topic_is_named_with_the_brokers_that_have_it(text: str, brokers: str, topic: str) -> None:
    spool = from_env(spool=text).spool
    assert spool == KafkaUrl(brokers=brokers, topic=topic)
    assert str(spool) == text


def test_a_stream_is_named_alone() -> None:
    spool = from_env(spool="kinesis://sms-out").spool
    assert spool == KinesisSpoolUrl(stream="sms-out")
    assert str(spool) == "kinesis://sms-out"


def test_what_librdkafka_is_told_is_written_in_its_own_words(tmp_path: Path) -> None:
    told = {"security.protocol": "SASL_SSL", "sasl.password": "hush", "socket.keepalive.enable": "true"}
    given = {f"kafka_{name.replace('.', '_')}": value for name, value in told.items()}
    toml = tmp_path / "smsd.toml"
    texts = '"security.protocol" = "SASL_SSL", "sasl.password" = "hush"'
    toml.write_text(f'kafka = {{{texts}, "socket.keepalive.enable" = true}}')
    from_toml = load({}, {}, toml)
    assert passed(from_env(**given)) == passed(from_toml) == told
    assert "hush" not in repr(from_toml)
    with pytest.raises(SettingsError, match=r"^SMSD_KAFKA is not valid; it must be set one by one, such as "):
        from_env(kafka="security.protocol=SSL")


@pytest.mark.parametrize("spool", ["kafka://127.0.0.1:1/sms", "kinesis://sms"])
def test_a_stream_is_opened_as_the_settings_say(spool: str, reactor: object) -> None:
    engine = engine_for(from_env(spool=spool), reactor, unmeasured, time.time)  # type: ignore[arg-type]
    assert isinstance(engine, StreamSpool)


@pytest.mark.parametrize("topic", ["sms", "sms-snapshots"])
def test_dead_letters_go_into_no_topic_of_the_spool_s_own(topic: str) -> None:
    with pytest.raises(SettingsError, match=f"SMSD_ARCHIVE names the topic {topic}, which SMSD_SPOOL has for itself"):
        from_env(spool="kafka://127.0.0.1:9092/sms", archive=f"kafka://127.0.0.1:9092/{topic}")
    assert from_env(spool="kafka://127.0.0.1:9092/sms", archive="kafka://127.0.0.1:9092/dead").archive is not None
