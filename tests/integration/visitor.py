"""Visits the dashboard as a browser does, but for its scripts."""

import html
import re
from typing import Any
from urllib.parse import urlencode

import attrs
import treq
from twisted.internet import reactor

from tests.integration.daemon import KEY

_TAG = re.compile(r"<[^>]*>")
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@attrs.frozen(kw_only=True)
class Seen:
    """A page that came back."""

    code: int
    headers: Any
    source: str

    @property
    def words(self) -> str:
        """What a person reads."""
        return " ".join(html.unescape(_TAG.sub(" ", self.source)).split())

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of all its forms."""
        return {name: html.unescape(value) for name, value in _HIDDEN.findall(self.source)}


class Visitor:
    """Somebody with a cookie."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.cookie = ""

    async def get(self, path: str, **headers: str) -> Seen:
        return await self._ask("GET", path, headers)

    async def post(self, path: str, **fields: str) -> Seen:
        body = urlencode(fields).encode()
        return await self._ask("POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, body)

    async def sign_in(self, key: str = KEY) -> Seen:
        return await self.post("/dashboard/sign-in", key=key)

    async def confirm(self, path: str) -> Seen:
        """Ask for ``path``, say yes to its question, and see where that leads."""
        question = await self.get(path)
        done = await self.post(path.partition("?")[0], **question.hidden)
        assert done.code == 303, done.words
        [there] = done.headers.getRawHeaders("location")
        return await self.get(there)

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Seen:
        response = await treq.request(
            method,
            self._url + path,
            headers={"Accept": "text/html"} | headers | ({"Cookie": self.cookie} if self.cookie else {}),
            data=body,
            allow_redirects=False,
            persistent=False,
            reactor=reactor,
        )
        for given in response.headers.getRawHeaders("set-cookie", []):
            self.cookie = given.partition(";")[0]
        return Seen(code=response.code, headers=response.headers, source=await response.text())
