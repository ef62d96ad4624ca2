"""Takes what is posted to ``/sms``: one, an array, or a broadcast, each at most once under an idempotency key."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred

from smsd.api.problems import Answer, BodyTooLarge, ok
from smsd.api.ratelimit import ratelimit
from smsd.api.validation import InvalidBody, Order, Problem, SmsBody, fingerprint, read_json
from smsd.core.claim import Claimed
from smsd.core.errors import KeyReused
from smsd.core.moment import moment
from smsd.core.trace import Traceparent
from smsd.pipeline.intake import IdempotencyKey, Intake, Receipt

#: Octets of a body that is read in a thread, so that the reactor goes on beside it.
LARGE: Final = 65_536
#: Octets of a body that is one object: a broadcast to 50,000 has room.
OBJECT_LIMIT: Final = 1024 * 1024
#: A key may come bare or as a quoted string (IETF draft-ietf-httpapi-idempotency-key-header).
_KEY: Final = re.compile(r'"([\x20-\x7e]{1,255})"|((?!")[\x21-\x7e]{1,255})')


class Posting:
    """What ``POST /sms`` does, once the client is known."""

    def __init__(
        self,
        *,
        intake: Intake,
        claimed: Callable[[str, str, float], Awaitable[Claimed | None]],
        allow_private: bool,
        now: Callable[[], float],
        defer: Callable[..., Deferred[Any]],
    ) -> None:
        """Callbacks may lead to a private address if ``allow_private``; ``defer`` calls a function in a thread.

        ``claimed`` looks idempotency keys up, see IInbox.
        """
        self._intake = intake
        self._claimed = claimed
        self._now = now
        self._defer = defer
        self._body = SmsBody(allow_private=allow_private)

    async def take(self, raw: bytes, api_key: str, key_header: str | None, trace: Traceparent | None = None) -> Answer:
        """Accept what ``raw`` asks for, in ``trace``, under the key named ``api_key``; answers once it is durable.

        Raises BodyTooLarge, InvalidBody, KeyReused, and whatever Intake.accept raises but Claimed.
        """
        if len(raw) > OBJECT_LIMIT and not raw.lstrip().startswith(b"["):
            raise BodyTooLarge(OBJECT_LIMIT)
        key = None if key_header is None else read_key(key_header)
        if key is not None:
            return await self._take_once(raw, api_key, key, trace)
        order = self._read(raw) if len(raw) < LARGE else await self._defer(self._read, raw)
        return self._answer(order, await self._intake.accept(order.submissions, api_key, trace=trace))

    def _read(self, raw: bytes) -> Order:
        return self._body.parse(read_json(raw), self._now())

    async def _take_once(self, raw: bytes, api_key: str, key: str, trace: Traceparent | None) -> Answer:
        body = await self._aside(raw, read_json, raw)
        given = await self._aside(raw, fingerprint, body)
        if (earlier := await self._claimed(api_key, key, self._now())) is not None:
            # Before anything is judged: the same body may have been good then and be too late now.
            return _again(earlier, given)
        order: Order = await self._aside(raw, self._body.parse, body, self._now())
        idempotency = IdempotencyKey(
            key=key, fingerprint=given, answer=lambda receipt: json.dumps(_told(order, receipt))
        )
        try:
            receipt = await self._intake.accept(order.submissions, api_key, idempotency, trace)
        except Claimed as claimed:
            return _again(claimed, given)
        return self._answer(order, receipt)

    def _answer(self, order: Order, receipt: Receipt) -> Answer:
        headers = ratelimit(receipt.usages, self._now()) if receipt.usages else {}
        return _answer(_told(order, receipt), headers)

    async def _aside(self, raw: bytes, work: Callable[..., Any], *arguments: Any) -> Any:
        if len(raw) < LARGE:
            return work(*arguments)
        return await self._defer(work, *arguments)


def read_key(header: str) -> str:
    """The key in an ``Idempotency-Key`` header. Raises InvalidBody."""
    match = _KEY.fullmatch(header.strip())
    if match is None:
        message = "The Idempotency-Key is invalid: 'Must be 1 to 255 visible ASCII characters, bare or quoted'"
        raise InvalidBody(Problem(pointer="", message=message))
    return match[1] or match[2]


def _told(order: Order, receipt: Receipt) -> dict[str, Any]:
    eta = moment(receipt.eta)
    if order.is_array:
        return ok("Your SMS are being handled", ids=list(receipt.ids), position=receipt.position, eta=eta)
    submission = order.submissions[0]
    body = ok(
        "Your SMS is being handled",
        id=receipt.ids[0],
        segments=submission.segmentation.parts,
        position=receipt.position,
        eta=eta,
    )
    many = len(submission.recipients)
    return body if many == 1 else {**body, "recipients": many, "requests": len(receipt.messages)}


def _again(claimed: Claimed, given: str) -> Answer:
    if claimed.fingerprint != given:
        raise KeyReused
    return _answer(json.loads(claimed.answer), {"Idempotent-Replayed": "true"})


def _answer(body: dict[str, Any], headers: Mapping[str, str]) -> Answer:
    location = {"Location": f"/sms/{body['id']}"} if "id" in body else {}
    return Answer(code=200, body=body, headers={**location, **headers})
