"""Tells every open page what has changed, at most once a second, by server-sent events."""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

from smsd.api.dashboard.look import Seen
from smsd.api.dashboard.sight import Sight

#: Seconds between two looks.
EVERY_S: Final = 1.0
#: Looks without news after which a viewer hears that the line still stands.
BEAT: Final = 15
#: Pages that may be open at once.
MAX_VIEWERS: Final = 64
#: The last event of a session that has ended.
_OVER: Final = b"event: over\ndata: sign in again\n\n"

#: What somebody sees; None once the session is over.
Seeing = Callable[[], Sight | None]


class TooMany(Exception):
    """As many pages are open as are served live."""


@implementer(IPushProducer)
class _Viewer:
    """One open page; what its connection cannot take now is left out."""

    def __init__(self, request: Request, sight: Seeing) -> None:
        self._request = request
        self._is_paused = False
        self._known: Mapping[str, str] = {}
        self._quiet = 0
        self.sight = sight
        self.done: Deferred[bytes] = Deferred()

    def show(self, parts: Mapping[str, str]) -> None:
        """Send what of ``parts`` this viewer does not know yet."""
        if self._is_paused or self.done.called:
            return
        news = {name: part for name, part in parts.items() if self._known.get(name) != part}
        self._known = parts
        self._quiet = 0 if news else self._quiet + 1
        if news:
            self._request.write(b"data: " + json.dumps(news).encode() + b"\n\n")
        elif self._quiet % BEAT == 0:
            self._request.write(b": still here\n\n")

    def finish(self, last: bytes = b"") -> None:
        """End the stream with the event ``last``; without one its client comes again by itself."""
        if not self.done.called:
            self.done.callback(last)

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self._is_paused = False

    def stopProducing(self) -> None:
        """See IPushProducer."""
        self._is_paused = True


class Live:
    """Looks once a second while anybody watches, and once for all of them."""

    _log = Logger()

    def __init__(
        self,
        *,
        look: Callable[[], Coroutine[Deferred[Any], Any, Seen]],
        paint: Callable[[Seen, Sight], Mapping[str, str]],
        clock: IReactorTime,
    ) -> None:
        """``paint`` gives the parts of the page by their names."""
        self._look = look
        self._paint = paint
        self._viewers: list[_Viewer] = []
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def join(self, request: Request, sight: Seeing) -> Deferred[bytes]:
        """Write events to ``request`` until its client leaves or its session is over. Raises TooMany."""
        if len(self._viewers) >= MAX_VIEWERS:
            raise TooMany
        viewer = _Viewer(request, sight)
        self._viewers.append(viewer)
        request.registerProducer(viewer, True)
        _ = viewer.done.addBoth(self._left, viewer, request)
        if not self._loop.running:
            _ = self._loop.start(EVERY_S).addErrback(self._broke)
        return viewer.done

    def stop(self) -> None:
        """End every stream."""
        for viewer in tuple(self._viewers):
            viewer.finish()

    def _left(self, result: Any, viewer: _Viewer, request: Request) -> Any:
        self._viewers.remove(viewer)
        if getattr(request, "channel", None) is not None:  # as twisted leaves a request whose client has gone
            request.unregisterProducer()
        return result

    def _tick(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._show())

    async def _show(self) -> None:
        if not self._viewers:
            self._loop.stop()
            return
        seen = await self._look()
        painted: dict[Sight, Mapping[str, str]] = {}
        for viewer in tuple(self._viewers):
            sight = viewer.sight()
            if sight is None:
                viewer.finish(_OVER)
                continue
            if sight not in painted:
                painted[sight] = self._paint(seen, sight)
            viewer.show(painted[sight])

    def _broke(self, failure: Any) -> None:
        self._log.failure("the live page broke", failure)
        self.stop()
