"""Turns what a person wrote for a setting into a typed value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import Enum
from ipaddress import ip_network
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import attrs

from smsd.core.receiver import check_url
from smsd.settings.types import (
    Secret,
    TrustedProxies,
)

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

# Narrower than int() and float(): no "1_000", no other scripts' digits, no nan; 18 digits fit 64 bits.
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# A key travels in an HTTP header: visible ASCII, the characters of RFC 9110 section 5.5 without obs-text.
_KEY: Final = re.compile(r"[\x21-\x7e]+")
_TRUTH: Final = {"yes": True, "true": True, "no": False, "false": False}


class Wrong(ValueError):
    """A value is not what its kind allows; the text may add which part, and never holds the value."""


@attrs.frozen(kw_only=True)
class Kind(Generic[T]):
    """What a setting may be, in words and as a parser."""

    #: Completes "must be …".
    allowed: str
    #: From a text, or a value as toml has it, to the typed value. Raises Wrong.
    parse: Callable[[object], T]


def number(*, above: float = -math.inf, least: float = -math.inf, most: float = math.inf) -> Kind[float]:
    """A finite number within the bounds given; toml may give it as an integer or a float."""

    def parse(given: object) -> float:
        value = float(_digits(given, _NUMBER))
        if not (math.isfinite(value) and value > above and least <= value <= most):
            raise Wrong
        return value

    return Kind(allowed=f"a number{_bounds(above, least, most)}", parse=parse)


def whole(*, least: int, most: float = math.inf) -> Kind[int]:
    """A whole number of at most 18 digits within the bounds given."""

    def parse(given: object) -> int:
        value = int(_digits(given, _WHOLE))
        if not least <= value <= most:
            raise Wrong
        return value

    return Kind(allowed=f"a whole number{_bounds(-math.inf, least, most)}", parse=parse)


def choice(values: type[E]) -> Kind[E]:
    """One of the values of an Enum whose values are texts."""
    words = [member.value for member in values]

    def parse(given: object) -> E:
        text = written(given)
        if text not in words:
            raise Wrong
        return values(text)

    return Kind(allowed=" or ".join(words), parse=parse)


def _digits(given: object, pattern: re.Pattern[str]) -> str:
    # What is no number, such as a list or True, has no text that matches.
    text = str(given).strip()
    if not pattern.fullmatch(text):
        raise Wrong
    return text


def _bounds(above: float, least: float, most: float) -> str:
    limits = [(above, "above"), (least, "of at least"), (most, "at most")]
    return " " + " and ".join(f"{words} {limit}" for limit, words in limits if math.isfinite(limit))


def written(given: object) -> str:
    """The text that a person wrote, without spaces around it. Raises Wrong when there is none."""
    if not isinstance(given, str):
        raise Wrong
    text = given.strip()
    if not text:
        raise Wrong("it is empty; leave it out to have the default")
    if not text.isprintable():
        raise Wrong("it holds a character that cannot be printed")
    return text


def _yes_no(given: object) -> bool:
    if isinstance(given, bool):
        return given
    text = written(given)
    if text not in _TRUTH:
        raise Wrong
    return _TRUTH[text]


def _endpoint(given: object) -> str:
    # A first look only: opening the endpoint, which reads certificates and plugins, is the daemon's part.
    text = written(given)
    scheme, *arguments = re.split(r"(?<!\\):", text)
    if not re.fullmatch(r"[a-z][a-z0-9]*", scheme) or not any(arguments):
        raise Wrong
    if scheme in ("tcp", "ssl"):
        named = [part.removeprefix("port=") for part in arguments if part.startswith("port=")]
        port = (named or arguments)[0]
        if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            raise Wrong("the port goes from 0 to 65535")
    return text


def _http_url(given: object) -> str:
    text = written(given)
    try:
        url = urlsplit(text)
        complete = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        complete = False
    if not complete or re.search(r"[\s\\?#]", text) or "@" in url.netloc:
        raise Wrong
    return text.rstrip("/")


def _callback_url(given: object) -> str:
    # Only its form: whether it may lead inward depends on another setting.
    text = written(given)
    try:
        check_url(text, allow_private=True)
    except ValueError as error:
        raise Wrong(clause(error)) from None
    return text


def clause(error: ValueError) -> str:
    """What ``error`` says in a sentence, as a part of another one."""
    sentence = str(error).rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _proxies(given: object) -> TrustedProxies:
    names = [each.strip() for each in written(given).split(",")]
    try:
        networks = tuple(ip_network(each) for each in names if each != "unix")
    except ValueError as error:
        raise Wrong(clause(error)) from None
    return TrustedProxies(networks=networks, on_socket="unix" in names)


def _secret(given: object) -> Secret:
    text = written(given)
    if not _KEY.fullmatch(text):
        raise Wrong("a key is of visible ASCII characters without spaces")
    return Secret(text)


YES_NO: Final = Kind(allowed="yes or no (or true or false)", parse=_yes_no)
ENDPOINT: Final = Kind(allowed="a Twisted endpoint such as tcp:5000:interface=127.0.0.1", parse=_endpoint)
PROXIES: Final = Kind(allowed="addresses and networks, such as 10.0.0.0/8, with commas; or unix", parse=_proxies)
HTTP_URL: Final = Kind(allowed="an http:// or https:// address without user, query or fragment", parse=_http_url)
CALLBACK_URL: Final = Kind(allowed="an http:// or https:// address without user", parse=_callback_url)
TEXT: Final = Kind(allowed="a text", parse=written)
SECRET: Final = Kind(allowed="a key of visible ASCII characters", parse=_secret)
