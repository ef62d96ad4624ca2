"""Answers with a page: what was asked for, or what went wrong."""

import json
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from smsd.api.dashboard.paint import Paint
from smsd.api.dashboard.session import Session
from smsd.api.dashboard.sight import Sight
from smsd.api.dashboard.trouble import trouble_of
from smsd.api.dashboard.web import write_headers


class Frame:
    """What all pages have in common."""

    _log = Logger()

    def __init__(self, paint: Paint) -> None:
        self._paint = paint

    def page(self, request: IRequest, session: Session, name: str, /, **given: Any) -> bytes:
        """The page ``name``, as ``session`` may see it."""
        write_headers(request)
        told, session.told = session.told, ""
        return self._paint.page(name, session=session, sight=Sight.of(session.holder), told=told, **given)

    def json(self, request: IRequest, given: Any) -> bytes:
        """For a script or a program."""
        write_headers(request, "application/json")
        return json.dumps(given).encode() + b"\n"

    def problem(self, request: IRequest, failure: Failure) -> bytes:
        """A page for whatever went wrong; the form to sign in for whoever is not signed in."""
        trouble = trouble_of(failure.value)
        if trouble.code == 500:
            self._log.failure("a page broke", failure)
        write_headers(request)
        for name, value in trouble.headers.items():
            request.setHeader(name, value)
        # At the front door the form is no error; elsewhere it stands in the place of something else.
        is_front = request.path == b"/" and trouble.signs_in
        request.setResponseCode(200 if is_front else trouble.code)
        name = "sign_in" if trouble.signs_in else "trouble"
        return self._paint.page(name, session=None, sight=None, told="", trouble=trouble)
