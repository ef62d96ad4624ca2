"""The gateway to MessageBird's classic REST API, through its own SDK."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import attrs
from messagebird import Client
from zope.interface import implementer

from smsd.core.message import Message
from smsd.core.outcome import Found, LookupFailed, LookupResult, NotFound, Outcome, Postponed
from smsd.core.report import Report
from smsd.gateway.answers import Answer, Failure, outcome_of, outcome_of_failure, provider_id, words
from smsd.gateway.http import SessionClient, ask
from smsd.gateway.pools import Closed, IGatewayReactor, Pools
from smsd.gateway.recipients import reports_of
from smsd.gateway.reply import Reply
from smsd.ports import IGateway

#: Seconds that our clock and the provider's may differ.
CLOCKS_DIFFER_S: Final = 600.0
#: Messages on a page of a lookup, and pages that are read: one recipient seldom gets 2,500 in the time asked for.
PAGE: Final = 50
MAX_PAGES: Final = 50
_MESSAGES: Final = "messages"
_CLOSED: Final = "the gateway is closed"


@attrs.frozen(kw_only=True)
class _Page:
    ids: Mapping[str, str]  #: theirs by our reference
    count: int
    total: int

    @classmethod
    def parse(cls, decoded: object) -> "_Page | None":
        """A page of messages; None if it is none."""
        fields = decoded if isinstance(decoded, Mapping) else {}
        items, total = fields.get("items"), fields.get("totalCount")
        if not isinstance(items, list) or not isinstance(total, int):
            return None
        if not all(isinstance(item, Mapping) for item in items):
            return None
        # One of ours without an id is there all the same: called missing, it would be sent twice.
        ids = {str(item.get("reference")): provider_id(item) or "" for item in items}
        return cls(ids=ids, count=len(items), total=total)


@implementer(IGateway)
class MessageBirdGateway:
    """Sends through MessageBird at ``url`` with the access ``key``, in ``threads`` threads of its own.

    ``timeout_s`` bounds the wait for an answer (seconds, from the moment the request is out). ``now`` gives UTC epoch
    seconds and ``monotonic`` monotonic ones; both are called from threads.
    """

    #: Sent again, a message is another one here: see IGateway.
    repeatable_s = 0.0
    trusted_s = 0.0

    def __init__(
        self,
        key: str,
        url: str,
        *,
        reactor: IGatewayReactor,
        threads: int,
        timeout_s: float,
        now: Callable[[], float],
        report_url: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._now = now
        self._report_url = report_url
        self._http = SessionClient(url, key, read_s=timeout_s, clock=monotonic)
        self._client = Client(key, http_client=self._http)
        self._pools = Pools(
            name="messagebird",
            threads=threads,
            reactor=reactor,
            monotonic=monotonic,
            disconnect=self._http.close,
        )

    def start(self) -> None:
        """Open for business; without it every send is postponed."""
        self._pools.start()

    async def close(self) -> None:
        """Take no more, and wait for the answers that are due; at most the timeout. May be repeated."""
        await self._pools.close()

    async def send(self, message: Message, by: float = math.inf) -> Outcome:
        """Ask MessageBird, once, to take ``message``; whatever happens is an Outcome, never an exception."""
        try:
            outcome: Outcome = await self._pools.send(self._send, message, by)
        except Closed:
            return Postponed(reason=_CLOSED)
        return outcome

    async def lookup(self, message: Message) -> LookupResult:
        """Look for ``message`` by its reference among what its first recipient got around ``attempted_at``.

        The list is newest first, so one that comes in while it is read pushes older ones to a later page: nothing is
        missed. One that is deleted pulls them forward, which shows in the total: then it cannot be told.
        """
        total, seen = 0, 0
        for _ in range(MAX_PAGES):
            page = await self._page(message, offset=seen)
            if isinstance(page, LookupFailed):
                return page
            if message.id in page.ids:
                return Found(provider_id=page.ids[message.id])
            if page.total < total:
                return LookupFailed(reason="messages were deleted while the provider's list was read")
            total, seen = page.total, seen + page.count
            if seen >= total:
                return NotFound()
            if page.count == 0:
                return LookupFailed(reason="the provider's list ended before its own total")
        return LookupFailed(reason=f"the provider lists more than {seen} messages")

    async def reports(self, message: Message) -> tuple[Report, ...] | LookupFailed:
        """Ask MessageBird for the message it knows as ``provider_id``; one report a recipient with a status."""
        if not message.provider_id:
            return LookupFailed(reason="the provider gave it no id")
        reply = await self._look(message, self._show, message)
        if isinstance(reply, LookupFailed):
            return reply
        reports = reports_of(reply.decoded, message, self._now())
        return LookupFailed(reason=Failure.UNREADABLE.value) if reports is None else reports

    async def _page(self, message: Message, offset: int) -> _Page | LookupFailed:
        reply = await self._look(message, self._list, message, offset)
        if isinstance(reply, LookupFailed):
            return reply
        return _Page.parse(reply.decoded) or LookupFailed(reason=Failure.UNREADABLE.value)

    async def _look(
        self, message: Message, read: Callable[..., Reply | Failure], *arguments: object
    ) -> Reply | LookupFailed:
        """The answer to one request about ``message``, within the budget; LookupFailed unless it is a success."""
        try:
            reply: Reply | Failure = await self._pools.look(read, *arguments)
        except Closed:
            return LookupFailed(reason=_CLOSED)
        if isinstance(reply, Failure):
            return LookupFailed(reason=reply.value)
        if not 200 <= reply.status < 300:
            return LookupFailed(reason=words(self._read(reply), self._hidden(message)))
        return reply

    # From here on in threads.
    def _send(self, message: Message, by: float) -> Outcome:
        self._http.not_after(by)
        reply = ask(self._client, "POST", _MESSAGES, lambda: self._order(message))
        if isinstance(reply, Failure):
            return outcome_of_failure(reply)
        return outcome_of(self._read(reply), self._hidden(message))

    def _list(self, message: Message, offset: int) -> Reply | Failure:
        return ask(self._client, "GET", _MESSAGES, lambda: self._query(message, offset))

    def _show(self, message: Message) -> Reply | Failure:
        return ask(self._client, "GET", f"{_MESSAGES}/{quote(message.provider_id, safe='')}")

    def _order(self, message: Message) -> dict[str, Any]:
        order: dict[str, Any] = {
            "originator": message.originator.text,
            "recipients": ",".join(recipient.digits for recipient in message.going),
            "body": message.body,
            "type": "sms",
            "reference": message.id,
            "datacoding": message.coding.value,
        }
        if self._report_url is not None:
            order["reportUrl"] = self._report_url
        if message.valid_until is None:
            return order
        # At least 1: without a validity it would live for the provider's 48 hours.
        return {**order, "validity": max(1, int(message.valid_until - self._now()))}

    def _query(self, message: Message, offset: int) -> dict[str, Any]:
        attempted_at = message.accepted_at if message.attempted_at is None else message.attempted_at
        return {
            "recipient": message.going[0].digits,
            # Whichever of the two our clock was wrong at, the provider's time of it lies between.
            "from": _rfc3339(min(attempted_at, self._now()) - CLOCKS_DIFFER_S),
            "until": _rfc3339(max(attempted_at, self._now()) + CLOCKS_DIFFER_S),
            "limit": PAGE,
            "offset": offset,
        }

    def _read(self, reply: Reply) -> Answer:
        return Answer.parse(reply.status, reply.decoded, reply.wait_s(self._now()))

    def _hidden(self, message: Message) -> list[str]:
        return [self._key, message.body, *(recipient.digits for recipient in message.recipients)]


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
