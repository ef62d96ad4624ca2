"""What the Python client does against a real daemon, and over a connection that breaks."""

import itertools
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from smsd.client import Client, NotTaken, Sms
from tests.integration.daemon import KEY, DaemonProcess, until
from tests.integration.provider import UNPROCESSABLE, Provider

SMS: Sms = {"recipient": 31633450007, "originator": "MB", "message": "This is a test message."}


def client(server: DaemonProcess, **changed: Any) -> Client:
    return Client(reactor, server.url, KEY, **changed)


@pytest_twisted.ensureDeferred
async def test_it_sends_finds_lists_and_cancels(daemon: Any) -> None:
    server = daemon(rate="0.001")
    await server.start()
    smsd = client(server)
    taken = await smsd.send(SMS)
    ids = await smsd.send_many([SMS | {"reference": f"order {number}"} for number in range(3)])
    assert (taken["segments"], len(ids)) == (1, 3)
    assert (await smsd.find(ids[0]))["message"] == SMS["message"]
    listed = [each["id"] async for each in smsd.list(limit=2, originator="MB")]
    assert listed == [*reversed(ids), taken["id"]]
    assert (await smsd.cancel(ids[2]))["state"] == "canceled"
    with pytest.raises(NotTaken, match="409") as refused:
        await smsd.cancel(ids[2])
    assert (refused.value.status, refused.value.body["state"]) == (409, "canceled")
    await smsd.close()


@pytest_twisted.ensureDeferred
async def test_a_refusal_carries_status_and_body(daemon: Any) -> None:
    server = daemon(rate="0.001", backlog_limit="1")
    await server.start()
    smsd = client(server)
    with pytest.raises(NotTaken) as refused:
        await smsd.send({"originator": "MB", "message": ""})
    assert refused.value.status == 400
    assert [each["pointer"] for each in refused.value.body["errors"]] == ["/message", "/recipient"]
    with pytest.raises(NotTaken) as full:
        await smsd.send_many([SMS, SMS, SMS])
    assert full.value.status == 429
    assert full.value.retry_after_s is not None
    await smsd.close()


@pytest_twisted.ensureDeferred
async def test_dead_letters_are_replayed(daemon: Any, provider: Provider) -> None:
    provider.script([UNPROCESSABLE] * 2)
    server = daemon(rate="20")
    await server.start()
    smsd = client(server)
    ids = await smsd.send_many([SMS, SMS])

    async def both_are(state: str) -> bool:
        return [(await smsd.find(id))["state"] for id in ids] == [state] * 2

    await until(lambda: both_are("dead"), "both are dead")
    assert (await smsd.replay(ids[0]))["state"] == "queued"
    assert await smsd.replay_all(originator="MB") == 1
    await until(lambda: both_are("sent"), "both are sent")
    await smsd.close()


class _Cutting(Protocol):
    """Passes a request on, and the first time ends the connection in place of the answer."""

    def __init__(self, answers: "itertools.count[int]", seen: list[bytes]) -> None:
        self._answers = answers
        self._seen = seen

    def dataReceived(self, data: bytes) -> None:
        self._seen.append(data)
        if not data.rstrip().endswith(b"}"):
            return  # the body is to come
        if next(self._answers) == 0:
            self.transport.loseConnection()
            return
        body = b'{"message": "Your SMS is being handled", "status": "ok", "id": "1"}'
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest_twisted.ensureDeferred
async def test_a_send_without_an_answer_is_repeated_under_the_same_key() -> None:
    seen: list[bytes] = []
    answers = itertools.count()
    port = reactor.listenTCP(0, Factory.forProtocol(lambda: _Cutting(answers, seen)), interface="127.0.0.1")
    smsd = Client(reactor, f"http://127.0.0.1:{port.getHost().port}", KEY, new_key=lambda: "the-key")
    assert (await smsd.send(SMS))["id"] == "1"
    keys = [line for data in seen for line in data.split(b"\r\n") if line.lower().startswith(b"idempotency-key")]
    assert [key.split()[1] for key in keys] == [b"the-key"] * 2
    await smsd.close()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_page_of_something_else_is_no_good_answer() -> None:
    class Other(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    port = reactor.listenTCP(0, Factory.forProtocol(Other), interface="127.0.0.1")
    smsd = Client(reactor, f"http://127.0.0.1:{port.getHost().port}", KEY)
    with pytest.raises(NotTaken, match="hello"):
        await smsd.find("1")
    await smsd.close()
    await port.stopListening()
