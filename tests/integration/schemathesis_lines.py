"""Teaches schemathesis to write and read bodies of lines, which it leaves out otherwise."""

from typing import Any

import schemathesis

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
