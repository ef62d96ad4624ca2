"""Awaits several things that are under way at once."""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """What each of ``coroutines``, at least one, returns, in their order, all begun at once.

    Raises what the first to fail raises.
    """
    first, *others = coroutines
    if not others:  # as it is nearly always: there is nothing to wait for beside it
        return [await first]
    begun = [Deferred.fromCoroutine(each) for each in (first, *others)]
    try:
        return await gatherResults(begun, consumeErrors=True)
    except FirstError as failed:
        failed.subFailure.raiseException()
