"""A person at the dashboard."""

from typing import Any

import requests
from playwright.sync_api import BrowserContext, Page, expect

from tests.integration.daemon import KEY, SMS, DaemonProcess

#: A number that the sandbox refuses, whatever is sent to it.
REFUSED = 447700900422
#: Milliseconds; a busy machine is given its time.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


class Desk:
    """One browser window, open on one daemon."""

    def __init__(self, context: BrowserContext, server: DaemonProcess) -> None:
        self.url = server.url
        self.server = server
        self._context = context
        self._complaints: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self._complaints.append(str(error)))
        self.page.on("console", self._note)
        # Whatever is asked of another host is a fault, and blocked.
        context.on("request", self._check)

    def sign_in(self, key: str = KEY) -> Page:
        """Come in by the keyboard alone."""
        self.page.goto(self.url + "/")
        expect(self.page.get_by_label("API key")).to_be_focused()
        self.page.keyboard.type(key)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        return self.page

    def live(self) -> Page:
        """The front page, once it is told live."""
        self.page.goto(self.url + "/")
        self.page.wait_for_selector("body[data-shown]")
        return self.page

    def post(self, **changed: Any) -> str:
        """Have the daemon accept an SMS; its id."""
        body = {name: value for name, value in (SMS | changed).items() if value is not None}
        answer = requests.post(f"{self.url}/sms", json=body, headers={"X-API-Key": KEY}, timeout=60)
        assert answer.status_code == 200, answer.text
        id: str = answer.json()["id"]
        return id

    def break_key(self) -> None:
        """Have the sandbox refuse the provider's key from now on."""
        port = self.server.environment["SMSD_SANDBOX"].split(":")[1]
        answer = requests.post(f"http://127.0.0.1:{port}/sandbox/key", json={"valid": False}, timeout=60)
        assert answer.status_code == 200, answer.text

    def make_key(self, *roles: str) -> str:
        """A key with ``roles``."""
        body = {"name": "-".join(roles), "roles": roles}
        answer = requests.post(f"{self.url}/keys", json=body, headers={"X-API-Key": KEY}, timeout=60)
        key: str = answer.json()["key"]
        return key

    def leave(self) -> None:
        """Close the window; fails if anything broke in it."""
        self._context.close()
        assert self._complaints == []

    def _note(self, message: Any) -> None:
        # The browser says so itself when a page answers 4xx; which ones do is tested over HTTP.
        if (
            message.type in ("error", "warning")
            and "net::ERR_" not in message.text
            and "Failed to load" not in message.text
        ):
            self._complaints.append(message.text)

    def _check(self, request: Any) -> None:
        if not request.url.startswith(self.url):
            self._complaints.append(f"asked {request.url}")
