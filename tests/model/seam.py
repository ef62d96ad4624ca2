"""Puts an engine at a little distance, so that a process can die before or after each step, and a model beside it."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from smsd.core.errors import SmsdError, SpoolUnavailable
from smsd.ports import IEngine
from tests.model.book import Book
from tests.model.threads import ThreadCalls

#: Seconds until the engine has a request, and again until its answer is there.
WAY_S: Final = 0.002


class Seam:
    """The engine as one process sees it: what it asks for is done in the order of asking."""

    def __init__(self, engine: IEngine, threads: ThreadCalls, clock: IReactorTime, book: Book) -> None:
        self._engine = engine
        self._threads = threads
        self._clock = clock
        self._book = book
        self.is_cut = False  # the process is dead

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._ask, name)

    async def _ask(self, name: str, *arguments: Any) -> Any:
        if not self.is_cut:
            await deferLater(self._clock, WAY_S)
        if self.is_cut:  # only the clearing up of what died comes here
            if name == "release":
                return None
            raise SpoolUnavailable(reason="the process is dead")
        outcome = self._work(name, arguments)
        await deferLater(self._clock, WAY_S)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _work(self, name: str, arguments: tuple[Any, ...]) -> Any:
        try:
            outcome = self._threads.result(getattr(self._engine, name)(*arguments))
        except SmsdError as error:
            outcome = error
        if (watch := getattr(self._book, name, None)) is not None:
            self._compare(watch, outcome, arguments)
        return outcome

    def _compare(self, watch: Callable[..., None], outcome: Any, arguments: tuple[Any, ...]) -> None:
        try:
            watch(outcome, *arguments)
        except (AssertionError, LookupError) as wrong:
            self._book.wrong.append(wrong)  # whoever asked may catch it
