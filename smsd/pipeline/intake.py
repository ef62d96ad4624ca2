"""Turns submissions into accepted messages: durable first, answered after."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

import attrs

from smsd.core.claim import Claim
from smsd.core.message import Message
from smsd.core.outlook import Outlook
from smsd.core.quota import Usage
from smsd.core.series import Joined
from smsd.core.submission import Submission
from smsd.core.trace import Traceparent
from smsd.core.turns import Place

#: Keeps messages, all of one API key, under a claim if there is one; see Admission.admit.
Admit = Callable[[Sequence[Message], Claim | None, float], Awaitable[Place]]
#: Calls a function where it holds nobody up, such as in a thread.
Aside = Callable[[Callable[[], Any]], Awaitable[Any]]

#: Recipients from which on it takes long to make messages for them.
MANY: Final = 500


async def here(work: Callable[[], Any]) -> Any:
    """Calls ``work`` at once."""
    return work()


@attrs.frozen(kw_only=True)
class Receipt:
    """What a client is told of what was accepted."""

    ids: Sequence[str]  #: one for each SMS
    messages: Sequence[Message]  #: one a request to the provider
    position: int | None  #: the place in line of the first, 1 is next; None if its time has not come
    eta: float  #: UTC epoch seconds; when the last should leave, if nothing else happens
    usages: tuple[Usage, ...]  #: what the API key has used of its quotas, with these


@attrs.frozen(kw_only=True)
class IdempotencyKey:
    """A client's word for its request, and how what it is for is answered."""

    key: str
    fingerprint: str  #: of the body
    answer: Callable[[Receipt], str]  #: pure; the body of the answer


class Intake:
    """The accepting half: it knows who admits messages, and nothing of how they are sent."""

    def __init__(
        self,
        *,
        admit: Admit,
        outlook: Callable[[], Outlook],
        idempotency_s: float,
        callback_url: Callable[[str], str],
        new_id: Callable[[], str],
        now: Callable[[], float],
        aside: Aside = here,
    ) -> None:
        """``outlook`` says when the provider can be given requests, as of now.

        ``aside`` does what takes long, so that the reactor goes on beside it.

        An idempotency key is remembered for ``idempotency_s`` seconds. ``callback_url`` says what is set for an API
        key, by its name.
        """
        self._admit = admit
        self._outlook = outlook
        self._idempotency_s = idempotency_s
        self._callback_url = callback_url
        self._new_id = new_id
        self._now = now
        self._aside = aside

    async def accept(
        self,
        submissions: Sequence[Submission],
        api_key: str,
        idempotency: IdempotencyKey | None = None,
        trace: Traceparent | None = None,
    ) -> Receipt:
        """Keep ``submissions``, all or none, made under the key named ``api_key``; returns when they are durable.

        ``trace`` is the one that the request is part of. Raises what ``admit`` raises.
        """
        now = self._now()
        make = partial(self._made, submissions, api_key, now, trace)
        ids, messages = make() if sum([each.size for each in submissions]) < MANY else await self._aside(make)

        outlook = self._outlook()
        times = [each.send_at for each in submissions if each.send_at is not None]
        latest = max([now, *times])
        first = submissions[0].send_at

        def receipt(place: Place) -> Receipt:
            seen = place.outlook or outlook
            return Receipt(
                ids=ids,
                messages=messages,
                position=place.first + 1 if first is None or first <= now else None,
                eta=now + seen.arrival_s(place.last, latest - now, place.then),
                usages=place.usages,
            )

        claim = None if idempotency is None else self._claim(idempotency, api_key, now, receipt)
        return receipt(await self._admit(messages, claim, now))

    def _made(
        self, submissions: Sequence[Submission], api_key: str, now: float, trace: Traceparent | None
    ) -> tuple[Sequence[str], Sequence[Message]]:
        url = self._callback_url(api_key)
        parts = [
            each.messages(new_id=self._new_id, api_key=api_key, now=now, callback_url=url, trace=trace)
            for each in submissions
        ]
        if len(parts) == 1:
            return parts[0]
        return list(chain.from_iterable([ids for ids, _ in parts])), Joined([messages for _, messages in parts])

    def _claim(
        self, idempotency: IdempotencyKey, api_key: str, now: float, receipt: Callable[[Place], Receipt]
    ) -> Claim:
        return Claim(
            api_key=api_key,
            key=idempotency.key,
            fingerprint=idempotency.fingerprint,
            at=now,
            until=now + self._idempotency_s,
            answer=lambda place: idempotency.answer(receipt(place)),
        )
