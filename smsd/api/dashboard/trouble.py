"""Puts what went wrong into a page's status, words and headers."""

from collections.abc import Mapping

import attrs
from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect

from smsd.api.auth import Forbidden, TooManyGuesses, Unauthorised
from smsd.api.dashboard.live import TooMany
from smsd.api.dashboard.session import Forged, SignedOut
from smsd.api.problems import answer_to


@attrs.frozen(kw_only=True)
class Trouble:
    """What a page says of it."""

    code: int  #: HTTP status
    words: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    signs_in: bool = False  #: whether the form to sign in belongs on the page


def trouble_of(error: BaseException | None) -> Trouble:
    """What to say of ``error``; what is not of the dashboard is told as the API does."""
    match error:
        case SignedOut():
            return Trouble(code=401, words="", signs_in=True)
        case Unauthorised():
            return Trouble(code=401, words="That is no key of this daemon.", signs_in=True)
        case Forged():
            return Trouble(code=403, words="This form is not from your session: go back, and load the page again.")
        case TooMany():
            return Trouble(code=503, words="As many pages are open as are served live: close one.")
        case NotFound() | RequestRedirect():
            return Trouble(code=404, words="There is no such page.")
        case _:
            answer = answer_to(error)
            signs_in = isinstance(error, TooManyGuesses)
            words = f"{answer.body['message'].removesuffix('.')}."
            if isinstance(error, Forbidden):
                words = f"That key may not do this: it lacks the role {error.role.value}."
            return Trouble(code=answer.code, words=words, headers=answer.headers, signs_in=signs_in)
