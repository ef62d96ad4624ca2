"""Says what MessageBird says when it takes no request."""

from collections.abc import Mapping
from typing import Any, Final

import attrs


@attrs.frozen
class Problem:
    """One entry of ``{"errors": […]}``."""

    #: MessageBird's own: 2 key, 9 missing, 10 invalid, 20 not found, 21 bad request, 25 balance,
    #: 98 no such API, 99 internal.
    code: int
    description: str  #: a sentence for people
    parameter: str | None = None  #: which part of the request is to blame

    def as_json(self) -> dict[str, Any]:
        """Give the entry as it goes over the wire."""
        return attrs.asdict(self)


#: HTTP status → the problem it usually stands for. What a 405, 429 or 5xx holds is published nowhere: lean on
#: the status alone.
PROBLEMS: Final[Mapping[int, Problem]] = {
    400: Problem(21, "Bad request"),
    401: Problem(2, "Request not allowed (incorrect access_key)", "access_key"),
    402: Problem(25, "Not enough balance"),
    404: Problem(98, "API not found"),
    405: Problem(21, "Method not allowed"),
    422: Problem(9, "no (correct) recipients found", "recipient"),
    429: Problem(21, "Too many requests: this one has not been processed"),
    500: Problem(99, "Internal error"),
    502: Problem(99, "Bad gateway"),
    503: Problem(99, "Service unavailable"),
}


class Refusal(Exception):
    """The sandbox answers with errors instead of what was asked for."""

    def __init__(self, status: int, *problems: Problem) -> None:
        """Refuse with an HTTP ``status``, for ``problems`` or else the status's usual one."""
        self.status = status
        self.problems = problems or (PROBLEMS[status],)
        super().__init__(status, self.problems)


def invalid(parameter: str) -> Refusal:
    """Refuse a parameter that is there but wrong (422, code 10)."""
    return Refusal(422, Problem(10, f"{parameter} is invalid", parameter))
