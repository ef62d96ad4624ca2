"""Keeps incoming messages (MO) and passes them on."""

from collections.abc import Callable

from smsd.core.callback import passed_on
from smsd.core.message import What
from smsd.core.notice import Notice
from smsd.core.report import Inbound
from smsd.ports import ICallbackQueue, IReporter


class Incoming:
    """Takes each incoming message once, however often the provider tells of it."""

    def __init__(
        self,
        *,
        queue: ICallbackQueue,
        url: str | None,
        api_key: str,
        now: Callable[[], float],
        wake: Callable[[], None],
        reporter: IReporter,
    ) -> None:
        """Each is posted to ``url``, if there is one, signed as the API key named ``api_key``.

        ``wake`` tells that a callback is due.
        """
        self._queue = queue
        self._url = url
        self._api_key = api_key
        self._now = now
        self._wake = wake
        self._reporter = reporter

    async def take(self, inbound: Inbound) -> None:
        """Keep ``inbound`` durably, and owe its receiver a callback. Raises SpoolUnavailable."""
        now = self._now()
        callback = None if self._url is None else passed_on(inbound, self._url, self._api_key, now)
        if await self._queue.receive(inbound, callback):
            self._reporter.report(Notice(what=What.RECEIVED, at=now, detail=f"incoming message {inbound.id}"))
            self._wake()
