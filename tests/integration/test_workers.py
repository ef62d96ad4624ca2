"""Accept processes come when many requests do, and nobody outside can tell that they are there."""

import http.client
import json
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.bench.load import post_for
from tests.integration.daemon import KEY, SMS, DaemonProcess, until

BODY = json.dumps(SMS).encode()
#: Nothing is sent while a test runs: what was accepted can be counted.
SLOW = {"rate": "0.001", "workers": "2", "backlog_limit": "10000000"}


class Client:
    """Posts over one connection that it keeps, as long as that lives."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"X-API-Key": KEY, "Content-Type": "application/json", **named}
        self._connection.request(method, path, body, given)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def post(self, body: bytes = BODY, **headers: str) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", "/sms", body, **headers)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *why: object) -> None:
        self._connection.close()

    def begin_again(self) -> None:
        self._connection.close()
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)


class Crowd:
    """Clients that post without a pause, each in a thread, and remember every id that was answered 200."""

    def __init__(self, port: int, number: int = 8) -> None:
        self.ids: list[str] = []
        self.broken = 0
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(port,)) for _ in range(number)]

    def __enter__(self) -> "Crowd":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._is_over.set()
        for each in self._threads:
            each.join()

    def _post(self, port: int) -> None:
        with Client(port) as client:
            while not self._is_over.is_set():
                try:
                    status, answer = client.post()
                except (OSError, http.client.HTTPException):
                    self.broken += 1
                    client.begin_again()
                    self._is_over.wait(0.05)
                    continue
                if status == 200:
                    self.ids.append(answer["id"])


def workers_of(server: DaemonProcess) -> list[int]:
    pid = server.process.pid
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def busy(server: DaemonProcess) -> None:
    """Post until both accept processes take connections."""

    def are_there() -> bool:
        post_for(f"{server.url}/sms", BODY, connections=16, for_s=0.5, headers=f"X-API-Key: {KEY}\r\n")
        return len(workers_of(server)) == 2

    await until(lambda: deferToThread(are_there), "there are two accept processes")


async def all_kept(server: DaemonProcess, ids: list[str]) -> bool:
    def missing() -> list[str]:
        with Client(server.port) as client:
            return [id for id in ids if client.ask("GET", f"/sms/{id}")[0] != 200]

    assert len(set(ids)) == len(ids)
    return not await deferToThread(missing)


@ensureDeferred
async def test_with_few_requests_there_is_one_process(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    for _ in range(5):
        await server.accepted()
    assert workers_of(server) == []


@ensureDeferred
async def test_what_accept_processes_answered_is_kept(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)
    with Crowd(server.port) as crowd:
        await until(lambda: len(crowd.ids) > 400, "400 are accepted")
    assert crowd.broken == 0
    assert await all_kept(server, crowd.ids)


@ensureDeferred
async def test_an_accept_process_that_is_killed_comes_back_and_nothing_answered_is_lost(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)
    first = workers_of(server)
    with Crowd(server.port) as crowd:
        await until(lambda: len(crowd.ids) > 100, "100 are accepted")
        for each in first:
            os.kill(each, signal.SIGKILL)
        await until(lambda: len(set(workers_of(server)) - set(first)) == 2, "both are replaced")
        before = len(crowd.ids)
        await until(lambda: len(crowd.ids) > before + 100, "100 more are accepted")
    assert await all_kept(server, crowd.ids)


@ensureDeferred
async def test_they_die_with_the_daemon_and_what_they_answered_is_there_at_the_next_start(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)
    workers = workers_of(server)
    with Crowd(server.port) as crowd:
        await until(lambda: len(crowd.ids) > 200, "200 are accepted")
        await server.kill()
        await until(lambda: not any(is_alive(each) for each in workers), "the accept processes are gone too")
    await server.start()
    assert await all_kept(server, crowd.ids)


@ensureDeferred
async def test_a_daemon_that_is_told_to_stop_lets_them_finish(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)
    workers = workers_of(server)
    with Crowd(server.port) as crowd:
        await until(lambda: len(crowd.ids) > 200, "200 are accepted")
        for each in workers:  # as a terminal and systemd do
            os.kill(each, signal.SIGTERM)
        assert await server.terminate() == 0
    assert not any(is_alive(each) for each in workers)
    await server.start()
    assert await all_kept(server, crowd.ids)


@ensureDeferred
async def test_every_request_is_answered_as_ever_on_a_connection_that_was_passed_on(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)

    def talk(client: Client) -> None:
        ids = [client.post()[1]["id"] for _ in range(6)]  # by now it is passed on
        assert client.post(b'{"recipient":31633450007,"message":"x"}')[0] == 400
        assert client.post(X_API_Key="wrong")[0] == 401
        assert client.post(Content_Type="text/plain")[0] == 415
        first = client.post(Idempotency_Key="one")
        assert client.post(Idempotency_Key="one") == first
        assert client.ask("GET", f"/sms/{ids[0]}")[1]["id"] == ids[0]
        assert client.ask("GET", "/nothing")[0] == 404
        assert len({client.post()[1]["id"] for _ in range(6)}) == 6
        assert client.post(b"[" + b",".join([BODY] * 3000) + b"]")[0] == 200  # too long for the short way
        assert client.post()[1]["position"] > 3000

    with Client(server.port) as client:
        await deferToThread(talk, client)


@ensureDeferred
async def test_the_last_use_of_a_key_is_known_though_an_accept_process_saw_it(daemon: Any) -> None:
    server = daemon(**SLOW)
    server.environment["SMSD_API_KEYS"] += ",watcher=another-key"
    await server.start()

    def last_use() -> str:
        with Client(server.port) as client:
            _, told = client.ask("GET", "/keys", X_API_Key="another-key")
        [tester] = [key for key in told["keys"] if key["name"] == "tester"]
        return str(tester["last_used_at"])

    await busy(server)
    with Crowd(server.port) as crowd:
        await until(lambda: len(crowd.ids) > 100, "100 are accepted")
        first = await deferToThread(last_use)
        # The daemon itself asks for a key's use once a minute.
        await until(lambda: deferToThread(lambda: last_use() > first), "a later use is told", within_s=30)


@ensureDeferred
async def test_requests_that_come_without_waiting_for_answers_are_all_answered_in_their_order(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)
    count = 1200

    def request(number: int) -> bytes:
        body = json.dumps({**SMS, "reference": f"{number:04}", "message": "x" * 100}).encode()
        head = f"POST /sms HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def talk() -> list[str]:
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection,
            connection.makefile("rb") as file,
        ):
            for number in range(6):  # by then it is passed on
                connection.sendall(request(number))
                _ = answered(file)
            connection.sendall(request(6))
            writing = threading.Thread(target=connection.sendall, args=(b"".join(map(request, range(7, count))),))
            writing.start()
            ids = [answered(file) for _ in range(6, count)]
            writing.join()
            return ids

    ids = await deferToThread(talk)
    assert len(set(ids)) == count - 6
    for place in (0, 300, 700, len(ids) - 1):
        assert (await server.shown(ids[place]))["reference"] == f"{place + 6:04}"


def answered(file: Any) -> str:
    """The id in the next answer."""
    assert b" 200 " in file.readline()
    headers = dict(line.lower().strip().split(b": ", 1) for line in iter(file.readline, b"\r\n"))
    if b"content-length" in headers:
        body = file.read(int(headers[b"content-length"]))
    else:
        body = file.read(int(file.readline(), 16))
        assert file.read(7) == b"\r\n0\r\n\r\n"
    id: str = json.loads(body)["id"]
    return id


@ensureDeferred
async def test_what_clients_posted_that_left_at_once_is_kept_without_ado(daemon: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    await busy(server)
    head = f"POST /sms HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY

    def leave() -> None:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
        for client in clients:
            for _ in range(5):  # by now it is passed on
                client.sendall(request)
                assert client.recv(4096)
        for client in clients:
            client.sendall(request)
            client.close()

    await deferToThread(leave)
    await server.accepted()
    assert await server.terminate() == 0
    assert "Traceback" not in server.output.read_text()
