"""Says what Bird says when it takes no request."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import attrs

#: HTTP status → the error it stands for: ``type``, ``name``, ``code`` (empty where none is published), ``message``.
#: bird.com/docs, "Errors".
PROBLEMS: Final[Mapping[int, tuple[str, str, str, str]]] = {
    400: ("bad_request_error", "InvalidRequest", "E01002", "The request is malformed."),
    401: ("auth_error", "Unauthenticated", "", "The API key is missing, malformed or revoked."),
    402: ("billing_error", "InsufficientBalance", "", "The wallet could not fund the send."),
    403: ("permission_error", "Forbidden", "", "A User-Agent is required."),
    404: ("not_found_error", "NotFound", "", "There is no such resource."),
    405: ("bad_request_error", "MethodNotAllowed", "", "That cannot be done to this resource."),
    409: ("conflict_error", "RequestInProgress", "E01004", "A request with this Idempotency-Key is under way."),
    422: ("validation_error", "ValidationError", "E01001", "Request validation failed."),
    429: ("rate_limit_error", "RateLimited", "", "Too many requests."),
    500: ("internal_error", "InternalError", "", "Something went wrong."),
    502: ("internal_error", "BadGateway", "", "Something went wrong on the way."),
    503: ("service_unavailable_error", "ServiceUnavailable", "", "Come back later."),
}


@attrs.frozen
class Detail:
    """What is wrong with one field."""

    param: str  #: its path, such as ``messages[3].to``
    message: str  #: a sentence for people


class BirdRefusal(Exception):
    """The sandbox answers with an error instead of what was asked for."""

    def __init__(self, status: int, *details: Detail, **changed: str) -> None:
        """Refuse with an HTTP ``status`` and its usual error, but for what is ``changed`` in that."""
        self.status = status
        self._details = details
        self._changed = changed
        self._request_id = f"req_{uuid4().hex}"
        super().__init__(status, details, changed)

    def body(self) -> dict[str, Any]:
        """Give the error as it goes over the wire."""
        names = ("type", "name", "code", "message")
        error: dict[str, Any] = dict(zip(names, PROBLEMS[self.status], strict=True)) | self._changed
        error |= {
            "doc_url": f"https://docs.bird.com/errors/{error['code'] or error['name']}",
            "request_id": self._request_id,
        }
        if self._details:
            error["details"] = [attrs.asdict(detail) for detail in self._details]
        return {"error": {name: value for name, value in error.items() if value}}
