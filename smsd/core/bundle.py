"""Names the request in which several messages go together, so that it can be told whether all of them are there."""

import hashlib
from collections.abc import Collection, Iterable

from smsd.core.message import Message


def bundle_name(ids: Iterable[str], since: float) -> str:
    """What a request is known by that carries the messages ``ids`` and was first tried at ``since`` (epoch seconds).

    Another one for other messages or another time, whatever their order; 64 hexadecimal digits.
    """
    return hashlib.sha256(",".join([repr(since), *sorted(ids)]).encode()).hexdigest()


def half_name(bundle: str, half: int) -> str:
    """What those are known by that were in the same ``half`` (0 or 1) of the request ``bundle``."""
    return f"{bundle}/{half}"


def is_whole(messages: Collection[Message]) -> bool:
    """Whether ``messages``, all of one bundle, are all of it: then the same request can be made again."""
    since = {message.tried_since for message in messages}
    (bundle,) = {message.bundle for message in messages}
    return len(since) == 1 and bundle_name((each.id for each in messages), since.pop() or 0.0) == bundle
