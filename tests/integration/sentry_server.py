"""A look-alike of Sentry's envelope endpoint on a loopback port."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any


class SentryServer:
    """Keeps the envelopes that it gets; may be told to refuse them, or to leave every request unanswered."""

    def __init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.asked(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.raw: Queue[bytes] = Queue()
        self.requests: Queue[str] = Queue()
        self.answer = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self._let_go = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.dsn = f"http://public@127.0.0.1:{self._http.server_port}/42"

    def asked(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests.put(handler.path)
        if self.hangs:
            self._let_go.wait()
            return
        if self.answer == 200:
            self.raw.put(gzip.decompress(body) if handler.headers["Content-Encoding"] == "gzip" else body)
        handler.send_response(self.answer)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    def event(self) -> dict[str, Any]:
        """The next event, waited for."""
        lines = self.raw.get(timeout=60).splitlines()
        event: dict[str, Any] = json.loads(lines[2])
        return event

    def close(self) -> None:
        self._let_go.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
