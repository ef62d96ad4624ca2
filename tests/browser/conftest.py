"""A real browser, and a daemon beside its sandbox to look at."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, sync_playwright
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.browser.desk import Desk
from tests.integration.daemon import DaemonProcess, free_port


def wait_for(url: str) -> None:
    """Return once a daemon answers at ``url``."""
    # The browser's own loop runs this thread, and so no reactor does.
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(total=300, backoff_factor=0.1, backoff_max=0.3)))
        assert session.get(f"{url}/health", timeout=60).status_code == 200


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: it comes with Debian's package of that name"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Any:
    """Starts a daemon with its sandbox, as ``settings`` have it; killed at the end."""
    started: list[DaemonProcess] = []

    def start(**settings: str) -> DaemonProcess:
        sandbox = f"tcp:{free_port()}:interface=127.0.0.1"
        server = DaemonProcess(tmp_path, None, sandbox=sandbox, api_keys="tester=a-client-key", **settings)
        started.append(server)
        server.spawn()
        wait_for(server.url)
        return server

    yield start
    for each in started:
        if each.process is not None:
            each.process.kill()
            each.process.wait()


@pytest.fixture
def desk(browser: Browser, daemon: Any) -> Iterator[Any]:
    """Somebody signed in at a daemon; nothing that breaks in the browser goes unseen."""
    desks: list[Desk] = []

    def sit_down(settings: dict[str, str], **looks: Any) -> Desk:
        desks.append(Desk(browser.new_context(**looks), daemon(**settings)))
        return desks[-1]

    yield sit_down
    for each in desks:
        each.leave()
