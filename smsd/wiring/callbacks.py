"""Puts together what tells receivers."""

from collections.abc import Callable

from smsd.callbacks.http import HttpCallbacks
from smsd.callbacks.names import SystemNames
from smsd.callbacks.runner import CallbackRunner
from smsd.ports import ICallbackQueue, IReporter
from smsd.settings import Settings
from smsd.wiring.reactor import IDaemonReactor


class Callbacks:
    """What tells receivers of changes of state, and of incoming messages."""

    def __init__(
        self,
        *,
        settings: Settings,
        queue: ICallbackQueue,
        reactor: IDaemonReactor,
        now: Callable[[], float],
        draw: Callable[[], float],
        reporter: IReporter,
    ) -> None:
        self._names = SystemNames(reactor)
        secrets, allow_private = settings.signing_secrets, settings.callback_private
        http = HttpCallbacks(reactor, now, secrets, names=self._names, allow_private=allow_private)
        self.runner = CallbackRunner(queue=queue, post=http.post, clock=reactor, now=now, draw=draw, reporter=reporter)

    def start(self) -> None:
        """Begin to post; the queue must be open."""
        self._names.start()
        self.runner.start()

    async def stop(self) -> None:
        """Break off what is being posted; it is due again at the next start."""
        await self.runner.stop()
        await self._names.close()
