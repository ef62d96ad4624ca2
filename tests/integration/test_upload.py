"""A million lines fit into one request: each batch is answered once it is on disk, and may be sent again."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from typing import Any

from jsonschema import Draft202012Validator
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from smsd.api.openapi import document
from tests.integration.daemon import KEY, DaemonProcess

#: What OpenAPI says of a line of the answer, and of the answer to what is not taken at all.
DESCRIBED = Draft202012Validator(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Batch", "UploadEnd", "UploadBroken", "Error")],
        "components": document()["components"],
    }
)
SLOW = {"rate": "0.001", "backlog_limit": "10000000"}


def line(number: int, **changed: Any) -> bytes:
    fields = {"recipient": 31600000000 + number, "originator": "MB", "message": f"This is number {number}."}
    return json.dumps(fields | changed).encode() + b"\n"


class Upload:
    """One request, written and read a piece at a time."""

    def __init__(self, connection: socket.socket, path: str = "/sms", **headers: str) -> None:
        self._socket = connection
        self._file = connection.makefile("rb")
        named = {"Host": "a", "X-API-Key": KEY, "Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"}
        given = named | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self._socket.sendall(b"0\r\n\r\n")

    def await_answer(self) -> None:
        """Return once there is something to read."""
        select([self._socket], [], [])

    def status(self) -> int:
        code = int(self._file.readline().split()[1])
        while self._file.readline() != b"\r\n":
            pass
        return code

    def answer(self) -> dict[str, Any]:
        size = int(self._file.readline(), 16)
        data = self._file.read(size + 2)
        found: dict[str, Any] = json.loads(data)
        DESCRIBED.validate(found)
        return found

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.readline())
        return found

    def close(self) -> None:
        self._file.close()


@contextmanager
def upload(server: DaemonProcess, path: str = "/sms", **headers: str) -> Iterator[Upload]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        made = Upload(connection, path, **headers)
        try:
            yield made
        finally:
            made.close()


@ensureDeferred
async def test_batches_are_answered_while_the_rest_is_still_to_come(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()

    def talk() -> list[str]:
        with upload(server) as ours:
            ours.send(b"".join(map(line, range(1, 1501))))
            assert ours.status() == 200
            first = ours.answer()
            assert (first["from"], first["to"], "errors" in first) == (1, 1000, False)
            ours.send(line(1501, message="") + b"\n" + b"nonsense\n" + line(1504))
            ours.end()
            second, last = ours.answer(), ours.answer()
        assert (second["from"], second["to"]) == (1001, 1504)
        assert [(each["line"], each["pointer"]) for each in second["errors"]] == [(1501, "/message"), (1503, "")]
        assert [place for place, id in enumerate(second["ids"], 1001) if id is None] == [1501, 1502, 1503]
        assert (last["status"], last["count"]) == ("ok", 1501)
        return [id for id in (*first["ids"], *second["ids"]) if id is not None]

    ids = await deferToThread(talk)
    assert len(set(ids)) == 1501
    assert (await server.shown(ids[0]))["recipient"] == 31600000001
    assert (await server.shown(ids[-1]))["recipient"] == 31600001504


@ensureDeferred
async def test_an_upload_that_was_cut_off_is_sent_again_under_its_key_and_nothing_is_kept_twice(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()

    def begin() -> list[str]:
        with upload(server, Idempotency_Key="campaign") as ours:
            ours.send(b"".join(map(line, range(1, 1501))))
            assert ours.status() == 200
            ids: list[str] = ours.answer()["ids"]
            return ids

    def again(path: str, first: int) -> list[dict[str, Any]]:
        with upload(server, path, Idempotency_Key="campaign") as ours:
            ours.send(b"".join(map(line, range(first, 2001))))
            ours.end()
            assert ours.status() == 200
            return [ours.answer() for _ in range((2001 - first) // 1000 + 1)]

    ids = await deferToThread(begin)
    await server.kill()
    await server.start()
    first, second, last = await deferToThread(again, "/sms", 1)
    assert (first["ids"], first["replayed"]) == (ids, True)
    assert "replayed" not in second
    assert last["count"] == 2000
    resumed, end = await deferToThread(again, "/sms?line=1001", 1001)
    assert (resumed["ids"], resumed["from"], end["count"]) == (second["ids"], 1001, 1000)


@ensureDeferred
async def test_what_cannot_be_taken_says_why(daemon: Any) -> None:
    server = daemon(rate="0.001", backlog_limit="1205")
    await server.start()

    def refused(body: bytes, path: str = "/sms", **headers: str) -> tuple[int, dict[str, Any]]:
        with upload(server, path, **headers) as ours:
            ours.send(body)
            ours.end()
            status = ours.status()
            return status, ours.answer()

    assert (await deferToThread(refused, line(1), X_API_Key="wrong"))[0] == 401
    assert (await deferToThread(refused, line(1), "/sms?from=3"))[0] == 400
    assert (await deferToThread(refused, line(1), Idempotency_Key='"'))[0] == 400
    status, long = await deferToThread(refused, b"x" * 70_000)
    assert (status, "Line 1 is longer" in long["message"]) == (413, True)

    def still_sending() -> int:
        with upload(server) as ours:
            ours.send(b"x" * 70_000)
            ours.await_answer()
            for _ in range(100):
                ours.send(b"x" * 1000)
            return ours.status()

    assert await deferToThread(still_sending) == 413

    def by_length(connection: socket.socket, body: bytes, kind: str) -> tuple[bytes, bytes]:
        head = f"POST /sms HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nContent-Type: {kind}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b'"status": ' not in received:
            received += connection.recv(65536)
        return received.partition(b"\r\n")[0], received

    def short() -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            one = line(1).strip()
            for _ in range(3):
                assert b" 200 " in by_length(connection, one, "application/json")[0]
            first, whole = by_length(connection, line(2) + line(3), "application/x-ndjson")
            assert (b" 200 " in first, b'"count": 2' in whole) == (True, True)

    await deferToThread(short)

    def fill() -> list[dict[str, Any]]:
        with upload(server) as ours:
            ours.send(b"".join(map(line, range(1, 2001))))
            assert ours.status() == 200
            return [ours.answer() for _ in range(2)]

    kept, full = await deferToThread(fill)
    assert kept["to"] == 1000
    assert (full["status"], full["count"]) == ("error", 1000)
    assert int(full["retry_after"]) > 0
