"""Measures what each engine takes in, and what one message costs in a stream; starts the servers itself.

PYTHONPATH=. .venv/bin/python -m tests.bench.streams [sqlite] [postgresql] [kafka] [kinesis] [start]
"""

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.notice import Took
from smsd.core.outcome import Accepted
from smsd.core.retry import Backoff
from smsd.core.settle import Policy, begin, settle
from smsd.spool.kafka.engine import kafka_spool
from smsd.spool.kafka.keyed import KeyedTopic
from smsd.spool.kafka.shelf import KafkaShelf
from smsd.spool.kinesis.engine import kinesis_spool
from smsd.spool.postgresql.engine import PostgresSpool
from smsd.spool.sqlite import SqliteSpool
from smsd.spool.stream.engine import PATIENCE_S
from smsd.spool.stream.shelf import Timing
from tests import postgresql
from tests.integration.daemon import until
from tests.messages import NOW, sms
from tests.stream import kafka_server, kinesis_server

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=1.0))
ROOM = 10**9
#: Who posts at once, as many clients do.
CLIENTS = 200
MEASURED_S = 8.0
#: Messages that a new node has to learn of, and how many come in a list.
KEPT, LIST = 200_000, 5_000


@attrs.define
class Counted:
    """Octets that went into a log, and in how many entries."""

    octets: int = 0
    entries: int = 0

    def watch(self, log: Any) -> None:
        """Count all that ``log`` publishes from now on."""
        publish = log.publish

        def counting(entries: Any) -> None:
            self.octets += sum(map(len, entries))
            self.entries += len(entries)
            publish(entries)

        log.publish = counting


def engine(name: str, folder: str, undo: ExitStack) -> Any:
    """The engine ``name``, with a server of its own."""
    reactor: Any = global_reactor
    if name == "sqlite":
        return SqliteSpool(f"{folder}/spool.db", reactor=reactor)
    if name == "postgresql":
        server = undo.enter_context(postgresql.server())
        return PostgresSpool(server.database(), reactor=reactor)
    if name == "kafka":
        broker = undo.enter_context(kafka_server.broker())
        return kafka_spool(broker.address, "sms", ledger=f"{folder}/ledger.db", reactor=reactor, pause_s=0.1)
    os.environ |= kinesis_server.settings(undo.enter_context(kinesis_server.server()))
    return kinesis_spool("sms", ledger=f"{folder}/ledger.db", reactor=reactor, create=True, pause_s=0.1)


def unlike() -> Message:
    """A message unlike all others: what is alike would be compressed to nothing."""
    body = f"{secrets.token_hex(3)} is your code for order {secrets.token_hex(8)}. It is good for ten minutes."
    return sms(body=body, recipients=(Msisdn(str(31600000000 + secrets.randbelow(10**8))),))


async def posted(spool: Any, clients: int) -> Iterator[float]:
    """How long each append of one message took, ``clients`` at once for MEASURED_S seconds."""
    took: list[float] = []
    end = time.perf_counter() + MEASURED_S

    async def client() -> None:
        while (began := time.perf_counter()) < end:
            await spool.append([unlike()], ROOM)
            took.append(time.perf_counter() - began)

    await gatherResults([Deferred.fromCoroutine(client()) for _ in range(clients)])
    return iter(sorted(took))


async def sent(spool: Any, count: int) -> None:
    """Send ``count`` messages, twenty at once, as a sender does."""
    while count > 0:
        leases = await spool.lease(NOW, 20)
        begun = [spool.store(each, begin(each.message, NOW, "bench")) for each in leases]
        done = [
            spool.store(each, settle(each.message, Accepted(provider_id=secrets.token_hex(16)), NOW, POLICY, 0.0))
            for each in await gatherResults(map(Deferred.fromCoroutine, begun))
        ]
        await gatherResults(map(Deferred.fromCoroutine, done))
        count -= len(leases)


def print_posted(what: str, took: list[float]) -> None:
    """Print how many appends there were in ``what``, and how long they took."""
    median, most = (1000 * took[int(part * (len(took) - 1))] for part in (0.5, 0.99))
    rate = len(took) / MEASURED_S
    print(f"{what} {rate:8.0f} a second   median {median:6.1f} ms   p99 {most:6.1f} ms", flush=True)


async def measure(name: str) -> None:
    """Print what ``name`` does."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as undo:
        spool = engine(name, folder, undo)
        spool.open()
        for clients in (1, CLIENTS):
            print_posted(f"{name:11} {clients:4} at once", list(await posted(spool, clients)))
        if name in ("kafka", "kinesis"):
            await weigh(name, spool)
        await spool.close()


async def weigh(name: str, spool: Any) -> None:
    """Print how many octets of the log a message costs."""
    counted = Counted()
    counted.watch(spool._log)
    for one_by_one, many in ((1, "alone"), (100, "with 99 others")):
        counted.octets = counted.entries = 0
        for _ in range(5):
            appends = [Deferred.fromCoroutine(spool.append([unlike()], ROOM)) for _ in range(one_by_one)]
            await gatherResults(appends)
        print(f"{name:11} accepted {many:15} {counted.octets / 5 / one_by_one:6.0f} octets a message", flush=True)
    counted.octets = counted.entries = 0
    await sent(spool, 200)
    print(f"{name:11} sent, twenty at once     {counted.octets / 200:6.0f} octets a message", flush=True)


async def start() -> None:
    """Print how long a new node on Kafka takes to be ready, from the first entry on and from a snapshot; and what
    others have of the taking of one.
    """
    with tempfile.TemporaryDirectory() as folder, kafka_server.broker() as broker:
        now: list[Callable[[], float]] = [lambda: 0.0]
        timing = Timing(every_s=1.0, now=lambda: now[0]())
        took: list[float] = []

        def measured(what: Took, seconds: Sequence[float]) -> None:
            took.extend(seconds if what is Took.SNAPSHOT else ())

        def ready(what: str, **more: Any) -> Any:
            began = time.perf_counter()
            reactor: Any = global_reactor
            node = kafka_spool(broker.address, "sms", ledger=f"{folder}/{what}.db", reactor=reactor, **more)
            node.open()
            print(f"kafka       ready, {what:16} {time.perf_counter() - began:8.2f} s", flush=True)
            return node

        first = ready("with nothing", snapshots=timing, measure=measured)
        await first.lease(NOW, 0)
        await until(lambda: len(took) == 1, "the first snapshot, of nothing")
        for _ in range(KEPT // LIST):
            await first.append([unlike() for _ in range(LIST)], ROOM)
        await ready("from the log").close()
        now[0] = lambda: 1.0
        await until(lambda: len(took) == 2, "the second snapshot")
        shelf = KafkaShelf(KeyedTopic(broker.address, "sms-snapshots", settings={}, patience_s=PATIENCE_S))
        part = shelf.listed()[-1].contents.octets / os.stat(f"{folder}/with nothing.db").st_size
        print(f"kafka       snapshot of {KEPT}  {took[-1]:8.2f} s, {part:.2f} of the ledger's octets", flush=True)
        await ready("from a snapshot", snapshots=timing).close()
        print_posted("kafka       without a snapshot ", list(await posted(first, CLIENTS)))
        now[0], before = time.time, len(took)
        print_posted("kafka       with one after the other", list(await posted(first, CLIENTS)))
        print(f"kafka       of which there were {len(took) - before}", flush=True)
        await first.close()


async def main(names: list[str]) -> None:
    """Measure each of ``names``."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {Path('/proc/version').read_text().split()[2]}")
    for name in names:
        await (start() if name == "start" else measure(name))


def begin_measuring() -> None:
    """Measure what the command line names, or all."""
    measuring = Deferred.fromCoroutine(main(sys.argv[1:] or ["sqlite", "postgresql", "kafka", "kinesis", "start"]))
    measuring.addErrback(lambda failure: failure.printTraceback())
    measuring.addBoth(lambda _: clock.stop())


if __name__ == "__main__":
    clock: Any = global_reactor
    clock.seconds = time.monotonic
    clock.callWhenRunning(begin_measuring)
    clock.run()
