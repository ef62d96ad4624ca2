"""Stands between smsd and a look-alike of Kinesis, and can refuse what is put, as a shard does that has enough."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

TOO_MUCH: Final = "ProvisionedThroughputExceededException"


class Proxy(ThreadingHTTPServer):
    """Passes everything on to ``target``, unless it is told to refuse."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.target = urlsplit(target).netloc
        self.is_cut = False  #: whether nothing gets through and nobody is told
        self.refuses = False  #: whether PutRecords is refused as a whole
        self.refuses_once = 0  #: of how many requests yet the first record is refused, and only that
        self.refused = 0  #: how many requests it has refused, wholly or in part

    def cut(self, is_cut: bool) -> None:
        """Let nothing through, or all again."""
        self.is_cut = is_cut

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.is_cut:
            self.close_connection = True
            return
        is_put = self.headers["X-Amz-Target"].endswith(".PutRecords")
        if is_put and self.server.refuses:
            self.server.refused += 1
            self._answer(400, json.dumps({"__type": TOO_MUCH, "message": "Rate exceeded for shard"}).encode())
        elif is_put and self.server.refuses_once:
            self.server.refused += 1
            self.server.refuses_once -= 1
            self._answer(200, self._without_the_first(body))
        else:
            self._answer(*self._passed_on(body))

    def _without_the_first(self, body: bytes) -> bytes:
        asked = json.loads(body)
        refusal = {"ErrorCode": TOO_MUCH, "ErrorMessage": "Rate exceeded for shard"}
        rest: list[Any] = []
        if asked["Records"][1:]:
            asked["Records"] = asked["Records"][1:]
            rest = json.loads(self._passed_on(json.dumps(asked).encode())[1])["Records"]
        return json.dumps({"FailedRecordCount": 1, "Records": [refusal, *rest]}).encode()

    def _passed_on(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self.server.target, timeout=10)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: what matters is counted."""


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """One before ``target``, with all doors open."""
    with Proxy(target) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
