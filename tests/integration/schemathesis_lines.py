"""Teaches schemathesis to write and read bodies of lines, which it leaves out otherwise."""

from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)  # type: ignore[untyped-decorator, unused-ignore]
def written(ctx: Any, value: Any) -> bytes:
    """``value`` as the body of a request."""
    return str(value).encode()


@schemathesis.deserializer(NDJSON)  # type: ignore[untyped-decorator, unused-ignore]
def read(ctx: Any, response: Any) -> str:
    """The body of an answer, which its schema takes for a text."""
    text: str = response.content.decode()
    return text


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whatever octets come are lines: one that is no SMS is told in the answer, beside those that are."""
    return not (case.media_type == NDJSON and isinstance(failure, AcceptedNegativeData))
