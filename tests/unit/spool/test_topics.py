"""What smsd asks of a topic, of brokers that know few of the requests."""

import pytest
from confluent_kafka import Producer

from smsd.core.errors import SpoolRefused
from smsd.spool.kafka import topics
from tests.stream.mock_cluster import mock_cluster


def test_a_topic_that_does_not_tell_its_id_is_none_to_keep_messages_in() -> None:
    with mock_cluster() as brokers:
        _ = Producer({"bootstrap.servers": brokers}).list_topics("sms", timeout=30)
        with pytest.raises(SpoolRefused, match="the topic sms does not tell its id, which takes DESCRIBE on it: "):
            topics.prepare({"bootstrap.servers": brokers}, "sms", within_s=0.5)
