"""Takes a batch of lines, each an SMS: the good ones are kept, the bad ones named."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from smsd.api.lines import Batch
from smsd.api.validation import InvalidBody, Problem, SmsBody, read_json
from smsd.core.claim import Claimed
from smsd.core.errors import KeyReused
from smsd.core.submission import Submission
from smsd.core.trace import Traceparent
from smsd.pipeline.intake import IdempotencyKey, Intake


@attrs.frozen(kw_only=True)
class Client:
    """Whose upload it is."""

    api_key: str  #: the name of his key
    key: str | None  #: his word for the upload, by which it can be sent again; None: he has none
    trace: Traceparent | None


@attrs.frozen(kw_only=True)
class _Read:
    """A batch that was judged."""

    batch: Batch
    good: Sequence[int]  #: the numbers of the lines that are taken
    submissions: Sequence[Submission]  #: what they ask for
    errors: Sequence[Mapping[str, Any]]  #: what is wrong with the others, by line

    def told(self, ids: Sequence[str]) -> dict[str, Any]:
        """The answer, once the good lines have ``ids``."""
        by_line = dict(zip(self.good, ids, strict=True))
        batch = self.batch
        told = {"from": batch.first, "to": batch.last}
        listed = [by_line.get(number) for number in range(batch.first, batch.last + 1)]
        return {**told, "ids": listed, **({"errors": list(self.errors)} if self.errors else {})}


class Bulk:
    """What becomes of each batch of an upload."""

    def __init__(
        self,
        *,
        intake: Intake,
        claimed: Callable[[str, str, float], Awaitable[Claimed | None]],
        allow_private: bool,
        now: Callable[[], float],
        defer: Callable[..., Deferred[Any]],
    ) -> None:
        """As for Posting."""
        self._intake = intake
        self._claimed = claimed
        self._now = now
        self._defer = defer
        self._body = SmsBody(allow_private=allow_private)

    async def take(self, batch: Batch, client: Client) -> dict[str, Any]:
        """Keep the good lines of ``batch``; answers once they are durable, or were so before under the client's key.

        Raises KeyReused, and whatever Intake.accept raises but Claimed.
        """
        given = hashlib.sha256(b"\n".join(batch.lines)).hexdigest()
        key = None if client.key is None else f"{client.key} from line {batch.first}"
        if key is not None and (earlier := await self._claimed(client.api_key, key, self._now())) is not None:
            return _again(earlier, given)
        read: _Read = await self._defer(self._read, batch)
        if not read.submissions:
            return read.told(())
        idempotency = None
        if key is not None:
            idempotency = IdempotencyKey(
                key=key, fingerprint=given, answer=lambda receipt: json.dumps(read.told(receipt.ids))
            )
        try:
            receipt = await self._intake.accept(read.submissions, client.api_key, idempotency, client.trace)
        except Claimed as claimed:
            return _again(claimed, given)
        return read.told(receipt.ids)

    def _read(self, batch: Batch) -> _Read:
        errors: list[dict[str, Any]] = []
        elements: dict[int, Any] = {}
        for number, line in enumerate(batch.lines, batch.first):
            if not line.strip():
                continue
            try:
                elements[number] = read_json(line)
            except InvalidBody as invalid:
                errors += [_told(number, problem.pointer, problem) for problem in invalid.problems]
        submissions: Sequence[Submission] = ()
        while elements and not submissions:
            try:
                submissions = self._body.parse(list(elements.values()), self._now()).submissions
            except InvalidBody as invalid:
                numbers = list(elements)
                for problem in invalid.problems:
                    index, _, field = problem.pointer[1:].partition("/")
                    errors.append(_told(numbers[int(index)], f"/{field}" if field else "", problem))
                    elements.pop(numbers[int(index)], None)
        errors.sort(key=lambda error: int(error["line"]))
        return _Read(batch=batch, good=list(elements), submissions=submissions, errors=errors)


def _told(number: int, pointer: str, problem: Problem) -> dict[str, Any]:
    return {"line": number, "pointer": pointer, "message": problem.message}


def _again(claimed: Claimed, given: str) -> dict[str, Any]:
    if claimed.fingerprint != given:
        raise KeyReused
    answer: dict[str, Any] = json.loads(claimed.answer)
    return {**answer, "replayed": True}
