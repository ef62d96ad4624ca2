"""A real Apache Kafka for tests: processes in KRaft mode, from Maven Central's jars."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs
from confluent_kafka import Consumer, TopicPartition

from tests.stream import authority

VERSION: Final = "4.4.0"
USER: Final = "smsd"
PASSWORD: Final = "hush"
#: Who comes without a name may do all, and grant the rest.
_STRICT: Final = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
_POM: Final = f"""
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>smsd</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
  </dependency></dependencies>
</project>"""


def jars() -> Path:
    """The folder of the jars, fetched once."""
    folder = Path(os.environ.get("SMSD_TEST_CACHE", Path.home() / ".cache/smsd-test")) / f"kafka-{VERSION}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pom.xml").write_text(_POM, encoding="utf-8")
        goal = ["dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"]
        subprocess.run(["mvn", "-q", "-B", *goal], cwd=folder, check=True)
        (folder / "complete").touch()
    return folder / "jars"


@attrs.define
class Broker:
    """One broker, which can be killed and started again with all that it had."""

    folder: Path
    ports: tuple[int, int, int]
    number: int = 1
    heap_mb: int = 512
    process: "subprocess.Popen[bytes] | None" = None
    #: Further doors, each for who comes through a pipe: the port that it listens on, and the one that it tells clients.
    pipes: Sequence[tuple[int, int]] = ()
    #: Whether USER may do only what it was granted.
    is_strict: bool = False

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def guarded(self) -> str:
        """The ``HOST:PORT`` at which it speaks TLS, and wants the name USER and the password PASSWORD (SASL)."""
        return f"127.0.0.1:{self.ports[2]}"

    def keyring(self, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """What an operator sets to be let in at ``guarded``; ``mechanism`` may also be PLAIN."""
        return {
            "SMSD_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "SMSD_KAFKA_SSL_CA_LOCATION": str(self.folder / "ca.pem"),
            "SMSD_KAFKA_SASL_MECHANISMS": mechanism,
            "SMSD_KAFKA_SASL_USERNAME": USER,
            "SMSD_KAFKA_SASL_PASSWORD": PASSWORD,
        }

    def first_of(self, topic: str) -> int:
        """The offset of the first entry that ``topic`` has still."""
        with closing(Consumer({"bootstrap.servers": self.address, "group.id": "test"})) as reader:
            first, _ = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
        return int(first)

    def start(self) -> None:
        """Start it; returns when it can be connected to."""
        self.spawn()
        self.await_started()

    def spawn(self) -> None:
        """Start it without waiting for it, which waits for its cluster."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._java("kafka.Kafka", "server.properties"), cwd=self.folder, stdout=log, stderr=log
            )

    def await_started(self) -> None:
        """Return when it can be connected to."""
        assert self.process is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[0])) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "broker.log").read_text(encoding="utf-8")[-3000:])

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def format(self, cluster: Sequence["Broker"]) -> None:
        """Write its settings, and make its folder one of a new ``cluster``."""
        client, control, guarded = self.ports
        voters = ",".join(f"{each.number}@127.0.0.1:{each.ports[1]}" for each in cluster)
        pipes = {f"PIPE{number}": pipe for number, pipe in enumerate(self.pipes)}
        piped = "".join(f",{name}://127.0.0.1:{heard}" for name, (heard, _) in pipes.items())
        told = "".join(f",{name}://127.0.0.1:{other}" for name, (_, other) in pipes.items())
        plain = "".join(f",{name}:PLAINTEXT" for name in pipes)
        door, login = "listener.name.sasl_ssl", "org.apache.kafka.common.security"
        authority.certify(self.folder)
        (self.folder / "server.properties").write_text(
            f"""
process.roles=broker,controller
node.id={self.number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{client},SASL_SSL://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{control}{piped}
advertised.listeners=PLAINTEXT://127.0.0.1:{client},SASL_SSL://127.0.0.1:{guarded}{told}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT{plain}
{door}.ssl.keystore.type=PEM
{door}.ssl.keystore.location={self.folder}/server.pem
{door}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
{door}.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
{door}.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
controller.listener.names=CONTROLLER
log.dirs={self.folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
{_STRICT if self.is_strict else ""}
""",
            encoding="utf-8",
        )
        known = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        formatted = ("format", "-t", "c21zZC10ZXN0cy0wMDAwMQ", "-c", "server.properties", "--add-scram", known)
        command = self._java("kafka.tools.StorageTool", *formatted)
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def _java(self, *words: str) -> list[str]:
        heap = ("-Xms128m", f"-Xmx{self.heap_mb}m", "-XX:+UseSerialGC")
        return ["java", *heap, "-cp", f"{jars()}/*", *words]


def _free_ports() -> tuple[int, int, int]:
    with socket.socket() as one, socket.socket() as other, socket.socket() as third:
        for each in (one, other, third):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1], third.getsockname()[1]


@contextmanager
def brokers(count: int, heap_mb: int, **more: Any) -> Iterator[list[Broker]]:
    """A cluster of ``count``, removed at the end; the rest as of Broker."""
    with ExitStack() as undo:
        made: list[Broker] = []
        for number in range(1, count + 1):
            folder = Path(undo.enter_context(TemporaryDirectory(prefix="smsd-kafka-")))
            made.append(Broker(folder, _free_ports(), number, heap_mb, **more))
            undo.callback(made[-1].kill)
        for each in made:
            each.format(made)
            each.spawn()
        for each in made:
            each.await_started()
        yield made


@contextmanager
def broker(**more: Any) -> Iterator[Broker]:
    """A broker of its own, removed at the end; what is given is as of Broker."""
    with brokers(1, heap_mb=512, **more) as [alone]:
        yield alone
