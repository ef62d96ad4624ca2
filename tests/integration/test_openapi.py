"""The daemon holds itself to its own document, and writes errors as RFC 9457 does for those who ask."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest_twisted
import treq
from twisted.internet import reactor

from tests.integration.daemon import KEY, ROOT, DaemonProcess, until

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
#: All that it knows but for one: that whatever the schema admits is taken. A schema cannot count septets.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth,missing_required_header"
)
OPTIONS = (
    *("-H", f"X-API-Key: {KEY}", "--checks", CHECKS, "--max-examples", "15"),
    *("--generation-deterministic", "--continue-on-failure", "--no-color", "--max-time", "50"),
)
HOOKS = "tests.integration.schemathesis_lines"
PROBLEM = "application/problem+json"


async def ask(server: DaemonProcess, method: str, path: str, accept: str, **more: Any) -> tuple[Any, str, Any]:
    headers = {"X-API-Key": KEY, "Accept": accept, "Content-Type": "application/json"} | more.pop("headers", {})
    response = await treq.request(method, server.url + path, headers=headers, reactor=reactor, persistent=False, **more)
    return response.code, response.headers.getRawHeaders("Content-Type")[0], await response.json()


@pytest_twisted.ensureDeferred
async def test_nothing_that_is_not_declared_is_answered(daemon: Any, tmp_path: Path) -> None:
    server = daemon(rate="100")
    await server.start()
    output = tmp_path / "schemathesis.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [SCHEMATHESIS, "run", f"{server.url}/openapi.json", *OPTIONS],
            cwd=tmp_path,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": HOOKS},
        )
        await until(lambda: process.poll() is not None, "schemathesis ends", within_s=120)
    said = output.read_text()
    assert process.returncode == 0, said
    assert "20 passed" in said, said
    assert '"a request broke"' not in server.output.read_text()


@pytest_twisted.ensureDeferred
async def test_an_error_is_a_problem_for_those_who_ask_for_it(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    bad = {"data": b'{"originator": "MB", "message": "x"}'}
    code, kind, body = await ask(server, "POST", "/sms", f"text/html, {PROBLEM};q=0.5", **bad)
    assert (code, kind) == (400, PROBLEM)
    assert (body["type"], body["title"], body["status"]) == ("about:blank", "Bad Request", 400)
    assert body["detail"] == body["message"] == "'recipient' field '' is invalid: 'Must be a valid MSISDN'"
    assert body["errors"][0]["pointer"] == "/recipient"
    code, kind, body = await ask(server, "GET", "/sms/nobody", PROBLEM)
    assert (code, kind, body["status"]) == (404, PROBLEM, 404)
    code, kind, body = await ask(server, "GET", "/nowhere", PROBLEM.upper(), headers={"X-API-Key": "wrong"})
    assert (code, kind, body["title"]) == (404, PROBLEM, "Not Found")


@pytest_twisted.ensureDeferred
async def test_an_error_has_the_two_fields_for_all_the_others(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    for accept in ("*/*", "application/json", f"{PROBLEM};q=0, application/json", f"{PROBLEM}; q=0.00"):
        code, kind, body = await ask(server, "POST", "/sms", accept, data=b"{}")
        assert (code, kind, body["status"], "detail" in body) == (400, "application/json", "error", False)
    code, kind, body = await ask(server, "GET", "/health", PROBLEM)
    assert (code, kind, body["status"]) == (200, "application/json", "ok")


@pytest_twisted.ensureDeferred
async def test_the_document_and_its_page_are_open_to_all(daemon: Any) -> None:
    server = daemon(rate="0.01")
    await server.start()
    document = await treq.get(server.url + "/openapi.json", reactor=reactor, persistent=False)
    assert (document.code, (await document.json())["openapi"]) == (200, "3.1.0")
    page = await treq.get(server.url + "/docs", reactor=reactor, persistent=False)
    assert page.headers.getRawHeaders("Content-Type") == ["text/html; charset=utf-8"]
    assert "default-src 'none'" in page.headers.getRawHeaders("Content-Security-Policy")[0]
    assert b"POST /sms" in await page.content()
