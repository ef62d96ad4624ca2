"""Asks the daemon over HTTP, one thing after the other."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import requests

from smsd.cli.output import Failed

#: Seconds to wait for a connection, and for an answer: an array of 10,000 takes a few on a slow disk.
TIMEOUT_S: Final = (5.0, 60.0)
#: How often an SMS is posted that got no answer; all tries have the same key, so it is taken once.
TRIES: Final = 3
#: Messages on a page, the most that the API gives.
PAGE: Final = 1000


class Refused(Failed):
    """smsd answered, and said no: asking again gives the same answer."""

    def __init__(self, status: int, body: Mapping[str, Any], *, had_key: bool = True) -> None:
        """``body`` is the answer; ``had_key`` whether there was an API key to ask with."""
        message = str(body["message"])
        lines = [str(each["message"]) for each in body.get("errors", ())] or [message]
        if status == 401:
            lines.append("the key is taken from SMSD_API_KEY" + ("" if had_key else ", which is not set"))
        super().__init__(message, lines=lines, fact=body)
        self.status = status  #: the HTTP status
        self.body = body


class TryLater(Failed):
    """smsd cannot be reached, or can do nothing right now."""

    exit_code = 3

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s  #: seconds; None when nobody knows


class Connection:
    """One smsd, under one API key; every call raises Refused and TryLater."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        if api_key:
            self._session.headers["X-API-Key"] = api_key

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """The body of a good answer."""
        answer = self._answer(method, path, headers=headers, **more)
        body = _body(answer)
        if answer.status_code == 429 or answer.status_code >= 500:
            after = answer.headers.get("Retry-After", "")
            raise TryLater(str(body["message"]), int(after) if after.isdigit() else None)
        if answer.status_code != 200:
            raise Refused(answer.status_code, body, had_key="X-API-Key" in self._session.headers)
        return body

    def post(self, body: object, key: str) -> dict[str, Any]:
        """Have an SMS, an array or a broadcast taken, once however often it is posted with the Idempotency-Key."""
        for _ in range(TRIES - 1):
            try:
                return self.ask("POST", "/sms", json=body, headers={"Idempotency-Key": key})
            except TryLater as trouble:
                if not isinstance(trouble.__cause__, requests.ConnectionError | requests.Timeout):
                    raise
        return self.ask("POST", "/sms", json=body, headers={"Idempotency-Key": key})

    def pages(self, filters: Mapping[str, str], limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The newest messages that ``filters`` admit: ``limit`` of them, or all."""
        cursor: dict[str, str] = {}
        left = limit
        while left is None or left > 0:
            asked = PAGE if left is None else min(left, PAGE)
            page = self.ask("GET", "/sms", params={**filters, **cursor, "limit": str(asked)})
            yield from page["sms"]
            if page["cursor"] is None:
                return
            cursor = {"cursor": page["cursor"]}
            left = None if left is None else left - len(page["sms"])

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether messages are taken and sent, and the checks that say so."""
        answer = self._answer("GET", "/ready")
        return answer.status_code == 200, _body(answer)

    def metrics(self) -> str:
        """What Prometheus would get."""
        return self._answer("GET", "/metrics").text

    def _answer(self, method: str, path: str, **more: Any) -> requests.Response:
        try:
            # No redirects: the key is for this address alone.
            return self._session.request(method, self.url + path, timeout=TIMEOUT_S, allow_redirects=False, **more)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TryLater(f"{self.url} cannot be reached: {_reason(error)}") from error
        except requests.RequestException as error:
            raise click.UsageError(f"{self.url} is no address of smsd: {error}") from error


def _reason(error: Exception) -> str:
    return "it does not answer in time" if isinstance(error, requests.Timeout) else "nobody answers there"


def _body(answer: requests.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and "message" in body:
        return body
    raise TryLater(f"what answers at {answer.url} is not smsd (HTTP {answer.status_code})")


#: Gives a command the connection of this call.
pass_connection = click.make_pass_decorator(Connection)
