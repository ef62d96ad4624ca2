"""The gateway to Bird, the API that follows MessageBird's classic one, through its own SDK."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from zope.interface import implementer

from smsd.core.address import Msisdn, Originator
from smsd.core.message import Message
from smsd.core.moment import moment
from smsd.core.outcome import Found, LookupFailed, LookupResult, NotFound, Outcome, Postponed
from smsd.core.report import BadReport, Report
from smsd.gateway.answers import Failure, outcome_of_failure, provider_id
from smsd.gateway.bird_answers import BirdAnswer, outcomes_of, unnamed, words
from smsd.gateway.bird_events import item_report
from smsd.gateway.bird_http import BirdClient
from smsd.gateway.messagebird import CLOCKS_DIFFER_S, MAX_PAGES
from smsd.gateway.pools import Closed, IGatewayReactor, Pools
from smsd.gateway.reply import Reply
from smsd.ports import IBundler, IGateway

#: Seconds for which a repeat goes out: the day for which Bird has promised to know one, less an hour for clocks that
#: differ and for requests that are long on their way. A repeat that comes too late is a second SMS.
REPEATABLE_S: Final = 82_800.0
#: Seconds for which it goes out unasked. Of late Bird says "roughly 3 hours" (bird.com, "Idempotency"): well within.
TRUSTED_S: Final = 7200.0
#: Messages in a batch, each to one recipient: the SDK's ``SMSMessageBatchRequest``.
MAX_BATCH: Final = 100
#: Messages on a page of a lookup.
PAGE: Final = 100
#: Digits from which on a number is one of E.164, and not a short code of an operator's.
SHORTEST_NUMBER: Final = 7
_MESSAGES: Final = "/v1/sms/messages"
_BATCHES: Final = "/v1/sms/batches"
_CLOSED: Final = "the gateway is closed"


@implementer(IGateway, IBundler)
class BirdGateway:
    """Sends through Bird with the API ``key``, in ``threads`` threads of its own.

    A message without a category of its own goes under ``category``. ``url`` is None for the SDK's own, by the region
    in the key. ``timeout_s`` bounds the wait for an answer (seconds, from the moment the request is out). ``now``
    gives UTC epoch seconds and ``monotonic`` monotonic ones; both are called from threads.
    """

    repeatable_s = REPEATABLE_S
    trusted_s = TRUSTED_S
    carries = MAX_BATCH

    def __init__(
        self,
        key: str,
        url: str | None,
        *,
        category: str,
        reactor: IGatewayReactor,
        threads: int,
        timeout_s: float,
        now: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._category = category
        self._now = now
        self._client = BirdClient(key, url, read_s=timeout_s, clock=monotonic)
        self._pools = Pools(
            name="bird",
            threads=threads,
            reactor=reactor,
            monotonic=monotonic,
            disconnect=self._client.close,
        )

    def start(self) -> None:
        """Open for business; without it every send is postponed."""
        self._pools.start()

    async def close(self) -> None:
        """Take no more, and wait for the answers that are due; at most the timeout. May be repeated."""
        await self._pools.close()

    async def send(self, message: Message, by: float = math.inf) -> Outcome:
        """Ask Bird, once, to take ``message``; whatever happens is an Outcome, never an exception.

        What has not begun ``by`` then (monotonic seconds) is postponed. To several recipients it is one batch, which
        Bird takes or refuses as a whole.
        """
        return (await self._sent([message], idempotency_key(message), by))[0]

    async def send_together(self, messages: Sequence[Message], by: float = math.inf) -> Sequence[Outcome]:
        """Ask Bird, once, to take ``messages``, one batch of all their recipients; an outcome for each, in their order.

        They go in the order of their ids: under one key Bird takes only one body.
        """
        ordered = sorted(messages, key=lambda message: message.id)
        outcomes = await self._sent(ordered, messages[0].bundle, by)
        by_id = {message.id: outcome for message, outcome in zip(ordered, outcomes, strict=True)}
        return [by_id[message.id] for message in messages]

    async def lookup(self, message: Message) -> LookupResult:
        """Look for ``message`` by our id in the metadata of what its first recipient got since it was first tried.

        What is sent to several is taken as a whole, so one of them tells of all.
        """
        items = await self._listed(message, message.going[0])
        if isinstance(items, LookupFailed):
            return items
        # One of ours without an id is there all the same: called missing, it would be sent twice.
        return Found(provider_id=provider_id(items[0]) or "") if items else NotFound()

    async def reports(self, message: Message) -> tuple[Report, ...] | LookupFailed:
        """Ask what became of ``message``: a report on each recipient of whom the end is not known yet."""
        final = {each.recipient for each in message.deliveries if each.status.is_final}
        reports: list[Report] = []
        for recipient in message.recipients:
            if recipient not in final:
                items = await self._listed(message, recipient)
                if isinstance(items, LookupFailed):
                    return items
                try:
                    reports += [item_report(item) for item in items]
                except BadReport as error:
                    return LookupFailed(reason=str(error))
        return tuple(reports)

    async def _listed(self, message: Message, recipient: Msisdn) -> list[Mapping[str, Any]] | LookupFailed:
        """What Bird lists of ``message`` to ``recipient``: one, or none."""
        query = self._query(message, recipient)
        for _ in range(MAX_PAGES):
            try:
                reply: Reply | Failure = await self._pools.look(self._client.get, _MESSAGES, query)
            except Closed:
                return LookupFailed(reason=_CLOSED)
            if isinstance(reply, Failure):
                return LookupFailed(reason=reply.value)
            page = reply.decoded if isinstance(reply.decoded, Mapping) else {}
            items = page.get("data")
            if reply.status != 200 or not isinstance(items, list):
                return LookupFailed(reason=words(self._read(reply), self._hidden(message)))
            ours = [item for item in items if _reference(item) == message.id]
            cursor = page.get("next_cursor")
            if ours or not isinstance(cursor, str):
                return ours
            query = {**query, "starting_after": cursor}
        return LookupFailed(reason=f"the provider lists more than {MAX_PAGES * PAGE} messages")

    async def _sent(self, messages: Sequence[Message], key: str, by: float) -> Sequence[Outcome]:
        try:
            outcomes: Sequence[Outcome] = await self._pools.send(self._send, messages, key, by)
        except Closed:
            return [Postponed(reason=_CLOSED)] * len(messages)
        return outcomes

    # From here on in threads.
    def _send(self, messages: Sequence[Message], key: str, by: float) -> Sequence[Outcome]:
        orders = [self._order(message, recipient) for message in messages for recipient in message.going]
        path, body = (_MESSAGES, orders[0]) if len(orders) == 1 else (_BATCHES, {"messages": orders})
        reply = self._client.post(path, body, key, by)
        if reply is Failure.UNWRITABLE and len(messages) > 1:
            return unnamed(reply.value, len(messages))
        if isinstance(reply, Failure):
            return [outcome_of_failure(reply)] * len(messages)
        hidden = [word for message in messages for word in self._hidden(message)]
        return outcomes_of(self._read(reply), [message.going for message in messages], hidden)

    def _order(self, message: Message, recipient: Msisdn) -> dict[str, Any]:
        """The same at every attempt: under one key Bird takes only one body."""
        return {
            "to": f"+{recipient.digits}",
            "from": _from(message.originator),
            "text": message.body,
            "category": self._category if message.category is None else message.category.value,
            "metadata": {"reference": message.id, "recipient": recipient.digits},
        }

    def _query(self, message: Message, recipient: Msisdn) -> dict[str, str]:
        known = [message.tried_since, message.attempted_at, message.accepted_at]
        since = min(next(at for at in known if at is not None), self._now()) - CLOCKS_DIFFER_S
        return {
            "to": f"+{recipient.digits}",
            "direction": "outbound",
            "created_after": moment(since),
            "limit": str(PAGE),
        }

    def _read(self, reply: Reply) -> BirdAnswer:
        return BirdAnswer.parse(reply.status, reply.decoded, reply.wait_s(self._now()))

    def _hidden(self, message: Message) -> list[str]:
        return [self._key, message.body, *(recipient.digits for recipient in message.recipients)]


def idempotency_key(message: Message) -> str:
    """What Bird knows an attempt by: the same for all that may be one and the same, another as soon as none was taken.

    It must not stay the same for ever: Bird gives a refusal again, too, under the key that it was given for.
    """
    return f"{message.id}-{round((message.tried_since or 0.0) * 1000):x}"


def _from(originator: Originator) -> str:
    text = originator.text
    return f"+{text}" if text.isdecimal() and len(text) >= SHORTEST_NUMBER else text


def _reference(item: object) -> object:
    metadata = item.get("metadata") if isinstance(item, Mapping) else None
    return metadata.get("reference") if isinstance(metadata, Mapping) else None
