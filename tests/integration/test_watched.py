"""500 messages flow while each of those that watch is off, on or broken: none is lost, and the pace holds."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
import pytest_twisted
from moto.server import ThreadedMotoServer

from tests.integration.bucket import AWS, client
from tests.integration.daemon import SMS, free_port, until
from tests.integration.provider import UNPROCESSABLE, Provider
from tests.integration.sentry_server import SentryServer
from tests.unit.pipeline.world import most_within

pytestmark = pytest.mark.timed

#: Requests a second, and what of it should be used at least: the permits allow for the round trip.
RATE: Final = 60
USED: Final = 40
#: How many the provider refuses: each is a letter, an event and a count.
DEAD: Final = 20

Settings = dict[str, str]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def silent(stack: ExitStack) -> int:
    """The port of a server that takes connections and says nothing."""
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
    port: int = listening.getsockname()[1]
    return port


def denying(stack: ExitStack, after_s: float) -> int:
    """The port of an S3 that denies everything, ``after_s`` seconds later."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            over.wait(after_s)
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for undo in (thread.join, server.server_close, server.shutdown, over.set):
        stack.callback(undo)
    return server.server_port


def sentry(answer: int = 200, *, hangs: bool = False) -> Callable[[ExitStack], Settings]:
    def start(stack: ExitStack) -> Settings:
        server = SentryServer()
        stack.callback(server.close)
        server.answer, server.hangs = answer, hangs
        return {"SENTRY_DSN": server.dsn}

    return start


def sentry_away(stack: ExitStack) -> Settings:
    return {"SENTRY_DSN": f"http://public@127.0.0.1:{free_port()}/1"}


def datadog(stack: ExitStack) -> Settings:
    """An agent that reads nothing: once its buffer is full, datagrams are lost."""
    listening = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    listening.bind(("127.0.0.1", 0))
    return {"DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_PORT": str(listening.getsockname()[1])}


def datadog_away(stack: ExitStack) -> Settings:
    return {"DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_PORT": str(free_port())}


def s3(stack: ExitStack) -> Settings:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    stack.callback(server.stop)
    url = "http://{}:{}".format(*server.get_host_and_port())
    client(url).create_bucket(Bucket="letters")
    return _archive(url)


def s3_away(stack: ExitStack) -> Settings:
    return _archive(f"http://127.0.0.1:{free_port()}")


def s3_hanging(stack: ExitStack) -> Settings:
    return _archive(f"http://127.0.0.1:{silent(stack)}")


def s3_denying(stack: ExitStack) -> Settings:
    return _archive(f"http://127.0.0.1:{denying(stack, 0.0)}")


def s3_slow(stack: ExitStack) -> Settings:
    return _archive(f"http://127.0.0.1:{denying(stack, 2.0)}")


def _archive(url: str) -> Settings:
    return AWS | {"AWS_ENDPOINT_URL": url, "SMSD_ARCHIVE": "s3://letters/here"}


@pytest.mark.parametrize(
    "watching",
    [
        pytest.param([], id="off"),
        pytest.param([sentry(), datadog, s3], id="on"),
        pytest.param([sentry_away, datadog_away, s3_away], id="away"),
        pytest.param([sentry(503), datadog_away, s3_denying], id="refusing"),
        pytest.param([sentry(hangs=True), datadog, s3_hanging], id="hanging"),
        pytest.param([sentry(429), datadog, s3_slow], id="slow"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_500_messages_flow_at_their_pace(
    daemon: Any, provider: Provider, stack: ExitStack, watching: list[Callable[[ExitStack], Settings]]
) -> None:
    server = daemon(rate=str(RATE))
    for start in watching:
        server.environment |= start(stack)
    provider.script([UNPROCESSABLE] * DEAD)
    await server.start()
    response = await server.post([SMS] * 500)
    ids = set((await response.json())["ids"])
    await until(lambda: len(provider.posts()) == 500, "all have gone out")
    times = [arrival.at_monotonic for arrival in provider.posts()]
    assert most_within(times, 1.0) <= RATE
    assert 499 / (max(times) - min(times)) >= USED

    async def states() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for state in ("sent", "dead"):
            page = await (await server.get(f"/sms?state={state}&limit=1000")).json()
            found[state] = {each["id"] for each in page["sms"]}
        return found

    async def are_settled() -> bool:
        return sum(map(len, (await states()).values())) == 500

    await until(are_settled, "all are settled")
    told = await states()
    assert told["sent"] == {kept["reference"] for kept in provider.stored.values()}
    assert told["sent"] | told["dead"] == ids
    assert len(told["dead"]) == DEAD
    assert (await server.get("/ready")).code == 200
    assert await server.terminate() == 0
