"""Does, in the daemon, what an accept process asks for."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from smsd.api.door import Door
from smsd.api.problems import Answer
from smsd.core.notice import Measure, Took
from smsd.core.outlook import Outlook
from smsd.core.turns import Place
from smsd.pipeline.admission import Admission, Parcel
from smsd.spool import record
from smsd.workers.link import Call

#: The values of an Outlook, in the order in which a Caller reads them.
_TOLD: Final = attrgetter(*[field.name for field in attrs.fields(Outlook)])


class Desk:
    """Keeps what was accepted elsewhere, and answers what only the daemon can."""

    def __init__(
        self,
        *,
        admission: Admission,
        door: Door,
        outlook: Callable[[], Outlook],
        now: Callable[[], float],
        measure: Measure,
        note_use: Callable[[str], None],
    ) -> None:
        """``outlook`` says when the provider can be given requests; ``now`` is UTC epoch seconds.

        ``note_use`` is told the names of the API keys that are used.
        """
        self._admission = admission
        self._door = door
        self._outlook = outlook
        self._now = now
        self._measure = measure
        self._note_use = note_use

    def take(self, calls: Sequence[Call], send: Callable[[Call], None]) -> None:
        """Carry out ``calls``; their answers go to ``send`` when they are there."""
        keeps: list[Call] = []
        for call in calls:
            match call:
                case "keep", *keep:
                    keeps.append(tuple(keep))
                case "post", number, headers, body, host:
                    reply = partial(self._reply, number, send)
                    self._door.posted(headers, body, partial(IPv4Address, "TCP", host, 0), reply)
                case "took", durations:
                    self._measure(Took.ACCEPT, durations)
                case _:
                    raise ValueError(call[0])
        if keeps:
            _ = Deferred.fromCoroutine(self._keep(keeps, send)).addErrback(self._refuse, keeps, send)

    async def _keep(self, keeps: Sequence[Call], send: Callable[[Call], None]) -> None:
        for api_key in {api_key for _, api_key, _ in keeps}:
            self._note_use(api_key)
        parcels = [Parcel(api_key=api_key, messages=record.Rows(rows)) for _, api_key, rows in keeps]
        outlook = self._outlook()
        answers = await self._admission.admit_each(parcels, self._now())
        kept: list[tuple[int, int, int, int]] = []
        for (number, *_), answer in zip(keeps, answers, strict=True):
            if isinstance(answer, Place):
                kept.append((number, answer.first, answer.last, answer.then))
            else:
                self._refuse(Failure(answer), [(number,)], send)
        send(("kept", _TOLD(outlook), kept))

    def _reply(self, number: int, send: Callable[[Call], None], answer: Answer) -> None:
        send(("answer", number, *_facts(answer)))

    def _refuse(self, failure: Failure, keeps: Sequence[Call], send: Callable[[Call], None]) -> None:
        facts = _facts(self._door.answer_to(failure))
        for number, *_ in keeps:
            send(("refused", number, *facts))


def _facts(answer: Answer) -> tuple[int, dict[str, Any], dict[str, str]]:
    return answer.code, dict(answer.body), dict(answer.headers)
