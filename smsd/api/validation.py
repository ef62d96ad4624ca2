"""Reads a request body and says everything that is wrong with it."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final, NoReturn

import attrs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from smsd.core.errors import InvalidSubmission
from smsd.core.submission import Submission

#: Characters of a refused value that are repeated to the client.
_ECHO: Final = 200


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong with a body."""

    pointer: str  #: JSON pointer (RFC 6901) to what is wrong
    message: str  #: a sentence for the client


class InvalidBody(Exception):
    """A body that cannot be taken, and every reason why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


class SmsBody:
    """The body of ``POST /sms``, held against the one schema that the package ships."""

    def __init__(self) -> None:
        text = files("smsd.api").joinpath("schema", "sms.json").read_text(encoding="utf-8")
        self.schema: Final[dict[str, Any]] = json.loads(text)
        Draft202012Validator.check_schema(self.schema)
        self._validator = Draft202012Validator(self.schema)
        self._order = list(self.schema["properties"])

    def parse(self, raw: bytes, now: float) -> Submission:
        """Read ``raw`` at ``now`` (UTC epoch seconds). Raises InvalidBody with every problem at once."""
        body = read_json(raw)
        if not isinstance(body, dict):
            raise InvalidBody(Problem(pointer="", message=f"The body is invalid: {self.schema['description']!r}"))
        bad = {field for error in self._validator.iter_errors(body) for field in _fields(error, body, self.schema)}
        try:
            return Submission.parse(body, now, bad)
        except InvalidSubmission as invalid:
            raise InvalidBody(*self._problems(set(invalid.fields), body)) from None

    def _problems(self, bad: set[str], body: dict[str, Any]) -> Iterator[Problem]:
        known = [field for field in self._order if field in bad]
        for field in [*known, *sorted(bad.difference(known))]:
            rule = self.schema["properties"].get(field, {}).get("description", "Is not a known field")
            message = f"'{_echo(field)}' field '{_echo(body.get(field, ''))}' is invalid: '{rule}'"
            yield Problem(pointer="/" + field.replace("~", "~0").replace("/", "~1"), message=message)


def _fields(error: ValidationError, body: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    if error.absolute_path:
        return [str(error.absolute_path[0])]
    if error.validator == "required":
        return [field for field in schema["required"] if field not in body]
    return [field for field in body if field not in schema["properties"]]


def _echo(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _ECHO else text[:_ECHO] + "…"


def read_json(raw: bytes) -> Any:
    """The value of a JSON text in strict RFC 8259 form. Raises InvalidBody.

    Refused as well: a name that stands twice in an object, NaN and infinities, lone surrogates, and nesting or
    numbers beyond what Python's parser takes.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        if b"\\u" in raw:  # only an escape can make a surrogate without its other half
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise _malformed("a \\u escape is half of a surrogate pair") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError is one; so is a number of too many digits
        raise _malformed(str(error)) from None
    return value


def _malformed(reason: str) -> InvalidBody:
    return InvalidBody(Problem(pointer="", message=f"The body is not valid JSON: {reason}"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
