"""Awaits several things that are under way at once."""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """What each of ``coroutines`` returns, in their order, all begun at once; raises what the first to fail raises."""
    begun = [Deferred.fromCoroutine(each) for each in coroutines]
    return await gatherResults(begun, consumeErrors=True)
