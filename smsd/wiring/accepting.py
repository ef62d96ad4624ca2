"""Puts the accepting half together."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import IResource
from twisted.web.server import Site

from smsd.api.auth import Gate
from smsd.api.bulk import Bulk
from smsd.api.door import POST_SMS, Door
from smsd.api.posting import Posting
from smsd.api.proxies import Proxies
from smsd.api.site import quick_site
from smsd.api.upload import Uploads
from smsd.core.notice import Measure
from smsd.core.outlook import Outlook
from smsd.core.quota import Quota, quotas_of
from smsd.pipeline.admission import Admission
from smsd.pipeline.ids import Ids
from smsd.pipeline.intake import Intake
from smsd.ports import IInbox, IReporter
from smsd.settings import Settings
from smsd.wiring.reactor import IDaemonReactor
from smsd.workers.desk import Desk
from smsd.workers.terms import Terms
from smsd.workers.worker import Worker
from smsd.workers.workers import Workers

#: Accept processes that more cores than this do not add to: one daemon keeps what all of them accept.
MOST_WORKERS: Final = 4


class Accepting:
    """The accepting half, from the socket to the spool, with the processes that help it."""

    def __init__(
        self,
        *,
        settings: Settings,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        inbox: IInbox,
        gate: Gate,
        outlook: Callable[[], Outlook],
        wake: Callable[[], None],
        reporter: IReporter,
        measure: Measure,
    ) -> None:
        """Leave messages in ``inbox`` and ``wake`` the other half.

        ``outlook`` says when that can give the provider requests, as of now.
        """
        self._settings = settings
        self._reactor = reactor
        self._now = now
        self._admission = Admission(
            inbox=inbox,
            outlook=outlook,
            backlog_limit=settings.backlog_limit,
            quotas=self._quotas,
            wake=wake,
            reporter=reporter,
        )
        intake = Intake(
            admit=self._admission.admit,
            outlook=outlook,
            idempotency_s=settings.idempotency * 3600,
            callback_url=lambda name: settings.callback_urls.of(name) or "",
            new_id=Ids(now),
            now=now,
            aside=partial(deferToThreadPool, reactor, reactor.getThreadPool()),
        )
        taking: dict[str, Any] = {
            "intake": intake,
            "claimed": inbox.claimed,
            "allow_private": settings.callback_private,
            "now": now,
            "defer": partial(deferToThreadPool, reactor, reactor.getThreadPool()),
        }
        #: What takes an SMS from whoever may send.
        self.posting = Posting(**taking)
        self._uploads = Uploads(sender=gate.sender, bulk=Bulk(**taking))
        #: What answers ``POST /sms``.
        self.door = Door(sender=gate.sender, posting=self.posting, monotonic=reactor.seconds, measure=measure)
        self._desk = Desk(
            admission=self._admission, door=self.door, outlook=outlook, now=now, measure=measure, note_use=gate.note_use
        )
        number = _a_core_each() if settings.workers is None else settings.workers
        self._workers = Workers(number=number, hire=self._hire, clock=reactor)

    def site(self, resource: IResource) -> Site:
        """What serves ``resource``, and ``POST /sms`` faster."""
        trusted = self._settings.trusted_proxies
        proxies = Proxies(networks=trusted.networks, on_socket=trusted.on_socket)
        self._site = quick_site(
            resource, self._reactor, POST_SMS, self.door.posted, self._workers.pass_on, proxies, self._uploads
        )
        return self._site

    @property
    def is_open(self) -> bool:
        """Whether new messages are taken."""
        return self._admission.is_open

    def trouble(self) -> str:
        """Why nothing could be kept just now; empty while all is well."""
        return self._admission.trouble(self._now())

    def close(self) -> None:
        """Take no new message from here on."""
        self._admission.is_open = False

    async def stop(self) -> None:
        """End the accept processes once what they have under way is answered."""
        await self._workers.stop()

    def _quotas(self, api_key: str) -> tuple[Quota, ...]:
        settings = self._settings
        return quotas_of(rate=settings.key_rate.of(api_key), daily=settings.key_quota.of(api_key))

    def _hire(self) -> Worker:
        keys = {each.name: each.key.reveal().encode() for each in self._settings.api_keys}
        terms = Terms(
            keys={name: key for name, key in keys.items() if not self._quotas(name)},
            callback_urls={name: self._settings.callback_urls.of(name) or "" for name in keys},
            allow_private=self._settings.callback_private,
        )
        return Worker(reactor=self._reactor, terms=terms, desk=self._desk, factory=self._site)


def _a_core_each() -> int:
    cores = len(os.sched_getaffinity(0))
    return min(cores, MOST_WORKERS) if cores > 1 else 0
