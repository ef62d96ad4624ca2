"""Takes the reactor's place where an engine's threads call it: their calls wait until somebody asks for a result."""

import time
from collections.abc import Coroutine
from queue import SimpleQueue
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

#: Seconds after which a thread that says nothing is broken.
PATIENCE_S: Final = 60.0


class ThreadCalls:
    """What an engine needs of a reactor."""

    seconds = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self._calls: SimpleQueue[Any] = SimpleQueue()

    def callFromThread(self, call: Any, *arguments: Any, **named: Any) -> None:
        self._calls.put((call, arguments, named))

    def callLater(self, delay_s: float, call: Any, *arguments: Any, **named: Any) -> None:
        """At its next turn, whatever the delay: an engine only ever wants that."""
        assert delay_s == 0
        self._calls.put((call, arguments, named))

    def result(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What ``coroutine`` comes to, once the threads have done it; raises what it raises."""
        done: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(done.append)
        while not done:
            call, arguments, named = self._calls.get(timeout=PATIENCE_S)
            call(*arguments, **named)
        if isinstance(done[0], Failure):
            done[0].raiseException()
        return done[0]
