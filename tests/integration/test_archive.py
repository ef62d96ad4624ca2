"""Every archive keeps letters once; S3 may be down, denied or slow, and says so."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer
from twisted.internet.defer import maybeDeferred

from smsd.archive.directory import DirectoryArchive
from smsd.archive.kafka import KafkaArchive
from smsd.archive.s3 import S3Archive
from smsd.core.letter import ArchiveFailed, NoSuchLetter
from smsd.spool.kafka.keyed import KeyedTopic
from tests.archives import Waiting
from tests.integration.daemon import free_port
from tests.stream.kafka_server import Broker

BUCKET = "letters"
KEY = "dead/2026/11/24/01ABC.json"
_TOPICS = count(1)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with keys for AWS and nothing of the machine's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


@pytest.fixture
def s3(aws: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a look-alike of S3 that has the bucket; AWS_ENDPOINT_URL leads there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield client
    client.close()
    requests.post(f"http://127.0.0.1:{port}/moto-api/reset", timeout=60)  # it keeps its buckets beyond its server
    server.stop()


def archive_in_s3(**changed: Any) -> Waiting:
    return Waiting(S3Archive(BUCKET, "/smsd/", defer=maybeDeferred, connect_s=1.0, **({"read_s": 30.0} | changed)))


def archive_on_kafka(broker: Broker, topic: str) -> Waiting:
    records = KeyedTopic(broker.address, topic, settings={}, patience_s=10.0)
    return Waiting(KafkaArchive(records, defer=maybeDeferred, page=3))


@pytest.fixture(params=["directory", "s3", pytest.param("kafka", marks=pytest.mark.engines)])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Waiting:
    if request.param == "directory":
        return Waiting(DirectoryArchive(tmp_path / "archive", defer=maybeDeferred, page=3))
    if request.param == "kafka":
        return archive_on_kafka(request.getfixturevalue("broker"), f"dead{next(_TOPICS)}")
    request.getfixturevalue("s3")
    return archive_in_s3(page=3)


def test_a_letter_that_was_put_is_there_once_however_often_it_is_put(archive: Waiting) -> None:
    archive.put(KEY, b"a letter")
    archive.put(KEY, b"another")
    assert archive.get(KEY) == b"a letter"
    assert archive.list("dead/") == [KEY]


def test_what_is_not_there_is_said_to_be_missing(archive: Waiting) -> None:
    assert archive.list("dead/") == []
    with pytest.raises(NoSuchLetter):
        archive.get(KEY)


def test_a_long_list_comes_in_pages_and_in_order(archive: Waiting) -> None:
    keys = [f"dead/2026/11/{day}/01{letter}.json" for day in (23, 24) for letter in "AB"]
    for key in reversed(keys):
        archive.put(key, b"x")
    first = archive.list("dead/")
    assert first == keys[:3]
    assert archive.list("dead/", after=first[-1]) == keys[3:]
    assert archive.list("dead/2026/11/24/") == keys[2:]


@pytest.mark.engines
def test_letters_on_kafka_are_found_by_another_who_looks_again_for_what_came(broker: Broker) -> None:
    one, other = archive_on_kafka(broker, "both"), archive_on_kafka(broker, "both")
    one.put(KEY, b"a letter")
    assert other.list("") == [KEY]
    one.put("dead/2", b"later")
    assert other.get("dead/2") == b"later"
    assert other.list("") == ["dead/2", KEY]


@pytest.mark.engines
def test_a_kafka_that_is_down_is_said_to_be() -> None:
    down = KafkaArchive(KeyedTopic("127.0.0.1:1", "dead", settings={}, patience_s=0.5), defer=maybeDeferred)
    for ask in (lambda: Waiting(down).put(KEY, b"x"), lambda: Waiting(down).get(KEY), lambda: Waiting(down).list("")):
        with pytest.raises(ArchiveFailed, match=r"The archive cannot be used: Kafka: .*Connection refused"):
            ask()


def test_an_object_in_s3_is_below_the_prefix_encrypted_and_with_its_checksum(s3: Any) -> None:
    archive_in_s3(encryption="AES256").put(KEY, b'{"a": "letter"}')
    head = s3.head_object(Bucket=BUCKET, Key=f"smsd/{KEY}", ChecksumMode="ENABLED")
    assert head["ContentType"] == "application/json"
    assert head["ServerSideEncryption"] == "AES256"
    assert head["ChecksumSHA256"] == "II1TdSRjS3s99gz1n4xpcTLtoKXadisk0k4HWXvJMPE="


def test_a_bucket_that_is_not_there_is_no_letter_that_is_not_there(aws: pytest.MonkeyPatch, s3: Any) -> None:
    archive = Waiting(S3Archive("elsewhere", defer=maybeDeferred))
    for ask in (lambda: archive.put(KEY, b"x"), lambda: archive.get(KEY), lambda: archive.list("")):
        with pytest.raises(ArchiveFailed, match="S3 answered 404, NoSuchBucket"):
            ask()


class Denying(BaseHTTPRequestHandler):
    """Denies everything, as S3 does."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<Error><Code>AccessDenied</Code><Message>an-id may not</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_an_s3_that_denies_is_quoted_without_the_key(aws: pytest.MonkeyPatch) -> None:
    server = HTTPServer(("127.0.0.1", 0), Denying)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(ArchiveFailed) as caught:
            archive_in_s3().put(KEY, b"a letter")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert str(caught.value) == "The archive cannot be used: S3 answered 403, AccessDenied."


def test_an_s3_that_does_not_answer_is_given_up(aws: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ArchiveFailed, match=r"S3 could not be asked \(ReadTimeoutError\)"):
            archive_in_s3(read_s=0.1).put(KEY, b"a letter")


def test_an_s3_that_is_down_is_said_to_be(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    archive = archive_in_s3()
    for ask in (lambda: archive.put(KEY, b"x"), lambda: archive.get(KEY), lambda: archive.list("")):
        with pytest.raises(ArchiveFailed, match=r"S3 could not be asked \(EndpointConnectionError\)"):
            ask()


def test_without_keys_the_reason_is_said(aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    aws.setenv("AWS_EC2_METADATA_DISABLED", "true")
    aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ArchiveFailed, match="NoCredentialsError"):
        archive_in_s3().put(KEY, b"a letter")


def test_an_endpoint_that_is_none_is_said_to_be(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_ENDPOINT_URL", "not an address")
    with pytest.raises(ArchiveFailed, match="S3 could not be asked"):
        archive_in_s3().put(KEY, b"a letter")
