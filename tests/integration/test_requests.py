"""What clients ask, and what they are answered: over real HTTP, from the daemon as a process."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import treq
from twisted.internet.threads import deferToThread

from tests.integration.daemon import KEY, SMS, DaemonProcess

ORIGINATOR = "Must be a phone number or an alpha numeric shorter or equal to 11 characters"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[DaemonProcess]:
    # Nobody answers at the discard port: everything that is accepted stays queued.
    daemon = DaemonProcess(folder, "http://127.0.0.1:9", retry_base="60")
    await daemon.start()
    yield daemon
    assert await daemon.terminate() == 0


@pytest_twisted.async_yield_fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaemonProcess]:
    async with running(tmp_path_factory.mktemp("requests")) as daemon:
        yield daemon


@pytest_twisted.async_yield_fixture(scope="module")
async def untouched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaemonProcess]:
    """One that has accepted nothing, and so has no trouble with its provider to log."""
    async with running(tmp_path_factory.mktemp("untouched")) as daemon:
        yield daemon


@pytest_twisted.ensureDeferred
async def test_the_seeds_request_gets_the_seeds_answer(server: DaemonProcess) -> None:
    response = await server.post(b'{"recipient":31633450007,"originator":"MB","message":"This is a test message."}')
    text = await response.text()
    assert response.code == 200
    assert text.startswith('{"message": "Your SMS is being handled", "status": "ok", ')
    answer = json.loads(text)
    assert response.headers.getRawHeaders("Location") == [f"/sms/{answer['id']}"]
    assert (answer["segments"], answer["position"] >= 1) == (1, True)


@pytest_twisted.ensureDeferred
async def test_the_seeds_request_without_originator_gets_the_seeds_refusal(server: DaemonProcess) -> None:
    response = await server.post(b'{"recipient":31633450007,"message":"This is a test message."}')
    text = await response.text()
    assert response.code == 400
    assert text.startswith(
        f'{{"message": "\'originator\' field \'\' is invalid: \'{ORIGINATOR}\'", "status": "error", '
    )


VALID = [
    {"recipient": 31633450007},
    {"recipient": "31633450007"},
    {"recipient": "+31633450007"},
    {"recipient": 1000},
    {"recipient": 999999999999999},
    {"originator": "123456"},
    {"originator": "+123456789012345"},
    {"originator": "M"},
    {"originator": "ABCDEFGHIJK"},
    {"originator": "Two words"},
    {"originator": "12345"},
    {"message": "x"},
    {"message": "x" * 1377},
    {"message": "Привет" * 100},
    {"message": "€" * 684},
    {"message": "\U0001f600"},
    {"message": "line\nline"},
    {"reference": "order 7"},
    {"priority": "high"},
    {"validity": 60},
    {"datacoding": "unicode"},
    {"datacoding": "plain"},
]

INVALID = [
    ("recipient", None),
    ("recipient", True),
    ("recipient", 0),
    ("recipient", -31633450007),
    ("recipient", 999),
    ("recipient", 1000000000000000),
    ("recipient", 31633450007.5),
    ("recipient", 31633450007.0),
    ("recipient", "031633450007"),
    ("recipient", "+"),
    ("recipient", ""),
    ("recipient", "31633450007\n"),
    ("recipient", " 31633450007"),
    ("recipient", "٣١٦٣٣٤٥٠٠٠٧"),
    ("recipient", [31633450007]),
    ("originator", ""),
    ("originator", "   "),
    ("originator", 123456),
    ("originator", "ABCDEFGHIJKL"),
    ("originator", "1234567890123456"),
    ("originator", "+12345"),
    ("originator", "MB!"),
    ("originator", "Café"),
    ("originator", "MB\n"),
    ("message", ""),
    ("message", None),
    ("message", 7),
    ("message", "x" * 1378),
    ("message", "я" * 604),
    ("message", "€" * 689),
    ("reference", "x" * 256),
    ("priority", "urgent"),
    ("priority", ["high"]),
    ("send_at", "2026-01-01T00:00:00"),
    ("send_at", "2000-01-01T00:00:00Z"),
    ("send_at", "2999-01-01T00:00:00Z"),
    ("send_at", "2026-13-01T00:00:00Z"),
    ("validity", 0),
    ("validity", True),
    ("validity", 604801),
    ("datacoding", "binary"),
    ("colour", "red"),
    ("a/b~c", 1),
]


@pytest.mark.parametrize("changed", VALID, ids=repr)
@pytest_twisted.ensureDeferred
async def test_a_valid_sms_is_taken(server: DaemonProcess, changed: dict[str, Any]) -> None:
    id = await server.accepted(**changed)
    shown = await server.shown(id)
    assert shown["message"] == (SMS | changed)["message"]
    assert shown["recipient"] == int((SMS | changed)["recipient"])


@pytest.mark.parametrize(("field", "value"), INVALID, ids=lambda value: repr(value)[:40])
@pytest_twisted.ensureDeferred
async def test_an_invalid_sms_is_refused_by_field(server: DaemonProcess, field: str, value: Any) -> None:
    response = await server.post(SMS | {field: value})
    answer = await response.json()
    assert (response.code, answer["status"]) == (400, "error")
    pointer = "/" + field.replace("~", "~0").replace("/", "~1")
    assert [error["pointer"] for error in answer["errors"]] == [pointer]
    assert answer["message"].startswith(f"'{field}' field '")


@pytest_twisted.ensureDeferred
async def test_every_problem_is_named_at_once(server: DaemonProcess) -> None:
    response = await server.post({"message": "€" * 700, "send_at": "yesterday", "colour": 1, "recipient": 31.5})
    answer = await response.json()
    pointers = [error["pointer"] for error in answer["errors"]]
    assert pointers == ["/originator", "/message", "/recipient", "/send_at", "/colour"]


RUBBISH = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b'{"recipient":31633450007,"originator":"MB","message":"\xed\xa0\x80"}',
    b'{"recipient":31633450007,"originator":"MB","message":"\\ud800"}',
    b'{"recipient":31633450007,"originator":"MB","message":"x","message":"y"}',
    b'{"recipient":NaN,"originator":"MB","message":"x"}',
    b'{"recipient":Infinity,"originator":"MB","message":"x"}',
    b'{"recipient":1e400,"originator":"MB","message":"x"}',
    b'{"recipient":' + b"9" * 5000 + b',"originator":"MB","message":"x"}',
    b"[" * 100 + b"]" * 100,
    b'{"message":' * 100 + b"1" + b"}" * 100,
    b"[" * 30_000,
]


@pytest.mark.parametrize("body", RUBBISH, ids=lambda body: repr(body[:40]))
@pytest_twisted.ensureDeferred
async def test_rubbish_is_refused_with_400_and_never_500(server: DaemonProcess, body: bytes) -> None:
    response = await server.post(body)
    answer = await response.json()
    assert (response.code, answer["status"]) == (400, "error")
    assert answer["errors"]


@pytest.mark.parametrize("key", ["", "wrong", KEY + "x", KEY[:-1], "ключ"])
@pytest_twisted.ensureDeferred
async def test_a_wrong_key_is_unauthorised(server: DaemonProcess, key: str) -> None:
    response = await server.post(SMS, X_API_Key=key)
    assert response.code == 401
    assert await response.json() == {"message": "Unauthorised key", "status": "error"}


@pytest_twisted.ensureDeferred
async def test_health_needs_no_key(server: DaemonProcess) -> None:
    response = await server.get("/health")
    assert (response.code, (await response.json())["status"]) == (200, "ok")


@pytest.mark.parametrize("path", ["/nothing", "/sms/01UNKNOWN", "/sms/"])
@pytest_twisted.ensureDeferred
async def test_other_paths_are_refused_in_json(server: DaemonProcess, path: str) -> None:
    response = await server.get(path)
    assert (response.code, (await response.json())["status"]) == (404, "error")


@pytest_twisted.ensureDeferred
async def test_other_methods_are_refused_and_the_right_ones_named(server: DaemonProcess) -> None:
    response = await treq.put(server.url + "/sms", headers={"X-API-Key": KEY}, persistent=False)
    assert (response.code, (await response.json())["status"]) == (405, "error")
    assert response.headers.getRawHeaders("Allow") == ["GET, HEAD, POST"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
@pytest_twisted.ensureDeferred
async def test_a_body_that_is_not_declared_as_json_is_refused(server: DaemonProcess, kind: str) -> None:
    response = await server.post(b'{"recipient":31633450007,"originator":"MB","message":"x"}', Content_Type=kind)
    assert (response.code, (await response.json())["status"]) == (415, "error")


@pytest_twisted.ensureDeferred
async def test_json_with_a_charset_is_json(server: DaemonProcess) -> None:
    response = await server.post(json.dumps(SMS).encode(), Content_Type="Application/JSON; charset=utf-8")
    assert response.code == 200


def exchange(port: int, raw: bytes) -> bytes:
    """What a server at ``port`` answers to raw bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


HEAD = (
    f"POST /sms HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
).encode()
LONG = b"x" * 1_100_000
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(LONG) + LONG + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("rest", [b"Content-Length: 1100000\r\n\r\n" + LONG, CHUNKED], ids=["declared", "chunked"])
@pytest_twisted.ensureDeferred
async def test_a_body_over_the_limit_is_refused(server: DaemonProcess, rest: bytes) -> None:
    answer = await deferToThread(exchange, server.port, HEAD + rest)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"status": "error"' in answer


@pytest_twisted.ensureDeferred
async def test_a_body_without_end_is_cut_off(server: DaemonProcess) -> None:
    head = HEAD + b"Content-Length: 300000000\r\n\r\n"

    def flood() -> int:
        sent = 0
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head)
            try:
                while sent < 300_000_000:
                    sent += connection.send(b"x" * 65536)
            except OSError:
                return sent
        return sent

    assert await deferToThread(flood) < 150_000_000
    assert (await server.get("/health")).code == 200


def plain(line: str, *headers: str) -> bytes:
    """A request without a body, over a connection that ends with it."""
    head = [line, "Host: x", "Connection: close", f"X-API-Key: {KEY}", *headers]
    return "\r\n".join([*head, "", ""]).encode()


STRANGE_IDS = ["%ff", "%00", "%ed%a0%80", "%0a", "%F0%9F%98%80", "a" * 9000, "..", "%2e%2e", "'", "/", "%2f", "%ff%2f"]


@pytest.mark.parametrize("id", STRANGE_IDS, ids=[each[:12] for each in STRANGE_IDS])
@pytest_twisted.ensureDeferred
async def test_an_id_of_whatever_octets_is_not_found_and_nothing_breaks(untouched: DaemonProcess, id: str) -> None:
    for line in (f"GET /sms/{id}", f"DELETE /sms/{id}", f"POST /sms/{id}/replay", f"DELETE /keys/{id}"):
        answer = await deferToThread(exchange, untouched.port, plain(f"{line} HTTP/1.1"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404 "), line
        assert b'"status": "error"' in body
        assert len(body) < 2000
    page = await deferToThread(exchange, untouched.port, plain(f"GET /dashboard/messages/{id} HTTP/1.1"))
    assert page.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 404 "))
    log = untouched.output.read_text()
    assert ("Traceback" in log, '"critical"' in log) == (False, False)


@pytest.mark.parametrize(
    "asked",
    [
        plain("GET /health HTTP/1.1"),
        plain("GET / HTTP/1.1"),
        plain("GET /nothing HTTP/1.1"),
        plain("OPTIONS * HTTP/1.1"),
        plain("POST /sms HTTP/1.1", "Content-Length: 0"),
        plain("POST /sms HTTP/1.1", "Content-Type: application/x-ndjson", "Content-Length: 0"),
        plain("POST /sms?line=x HTTP/1.1", "Content-Type: application/x-ndjson", "Content-Length: 0"),
        HEAD.replace(b"Connection: close\r\n", b"") + b"Content-Length: 2\r\n\r\n{}" + plain("GET /health HTTP/1.1"),
        HEAD + b"Content-Length: %d\r\n\r\n" % len(LONG) + LONG,
    ],
    ids=lambda asked: asked[:24].decode(),
)
@pytest_twisted.ensureDeferred
async def test_every_answer_names_the_daemon_and_no_version(server: DaemonProcess, asked: bytes) -> None:
    answer = await deferToThread(exchange, server.port, asked)
    heads = answer.count(b"HTTP/1.1 ")
    assert heads >= 1
    assert answer.count(b"\r\nServer: smsd\r\n") == answer.count(b"\r\nDate: ") == heads, answer
    assert answer.count(b"Server:") == heads
