"""Reads the forms and cookies of the dashboard, and writes its headers."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest

from smsd.api.dashboard.session import Forged
from smsd.api.problems import BodyTooLarge

COOKIE: Final = "smsd_session"
#: Octets of a form: a text of nine parts has room, escaped as it is.
FORM_LIMIT: Final = 65_536
#: Fields of a form.
MAX_FIELDS: Final = 50

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def write_headers(request: IRequest, content_type: str = "text/html; charset=utf-8") -> None:
    """The headers that every answer of the dashboard has."""
    for name, value in (_HEADERS | {"Content-Type": content_type}).items():
        request.setHeader(name, value)


def redirect(request: IRequest, path: str) -> bytes:
    """Go to ``path``, of ours, by GET."""
    request.setResponseCode(303)
    request.setHeader("Location", path)
    return b""


def read_cookie(request: IRequest) -> str:
    """What the session's cookie holds; empty without one."""
    held: bytes | None = request.getCookie(COOKIE.encode())
    return "" if held is None else held.decode("latin-1")


def write_cookie(request: IRequest, value: str) -> None:
    """Have the browser hold ``value``, for this site alone and out of reach of scripts; empty: no more."""
    ends = "" if value else "; Max-Age=0"
    secure = "; Secure" if request.isSecure() else ""
    cookie = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"
    request.responseHeaders.addRawHeader(b"Set-Cookie", cookie.encode())


def read_form(request: IRequest) -> dict[str, str]:
    """The fields of a form that was posted from a page of ours. Raises Forged and BodyTooLarge."""
    # A browser always says where a request comes from; what is no browser has no cookie to be misused.
    if header(request, "Sec-Fetch-Site") not in ("", "same-origin", "none"):
        raise Forged
    raw = request.content.read(FORM_LIMIT + 1)
    if len(raw) > FORM_LIMIT:
        raise BodyTooLarge(FORM_LIMIT)
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise Forged from None


def arguments(request: IRequest) -> Mapping[str, str]:
    """The query string without what is empty: a form leaves nothing out."""
    given = ((name.decode("utf-8", "replace"), values[-1]) for name, values in request.args.items())
    read = {name: value.decode("utf-8", "replace").strip() for name, value in given}
    return {name: value for name, value in read.items() if value}


def header(request: IRequest, name: str) -> str:
    """The first header ``name``; empty without one."""
    found: str = request.requestHeaders.getRawHeaders(name, [""])[0]
    return found


def address_of(request: IRequest) -> str:
    """Where a request comes from, as far as we see."""
    return str(getattr(request.getClientAddress(), "host", ""))
