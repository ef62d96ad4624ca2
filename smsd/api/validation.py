"""Reads a request body and says everything that is wrong with it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import attrs
import jsonschema_rs

from smsd.core.errors import InvalidSubmission
from smsd.core.series import Variant
from smsd.core.submission import Path, Submission, variant

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

#: Objects in an array.
MAX_ELEMENTS: Final = 10_000
#: Problems that are told of one body: more help nobody.
MAX_PROBLEMS: Final = 1000
#: What may differ between elements that are alike.
_VARYING: Final = ("recipient", "message", "reference")
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


@attrs.frozen(kw_only=True)
class Order:
    """What a body asks for."""

    submissions: tuple[Submission, ...]  #: elements that follow one another and are alike stand as one
    is_array: bool  #: whether it is an array, and so answered with ids


class SmsBody:
    """The body of ``POST /sms``, held against the one schema that the package ships."""

    def __init__(self, *, allow_private: bool = False) -> None:
        """Callbacks may lead to private addresses only if ``allow_private``."""
        self._allow_private = allow_private
        text = files("smsd.api").joinpath("schema", "sms.json").read_text(encoding="utf-8")
        self.schema: Final[dict[str, Any]] = json.loads(text)
        # The rules compiled: a hundredth of jsonschema's time, but this knows only that something is wrong, not what.
        self._quick = jsonschema_rs.validator_for(self.schema)
        varying = {name: self.schema["properties"][name] for name in _VARYING}
        self._quick_varying = jsonschema_rs.validator_for({"properties": varying})
        self._order = list(self.schema["properties"])

    @cached_property
    def _validator(self) -> "Draft202012Validator":
        from jsonschema import Draft202012Validator  # once a body is refused: it takes a quarter of a start

        return Draft202012Validator(self.schema)

    def parse(self, body: object, now: float) -> Order:
        """Read a JSON value at ``now`` (UTC epoch seconds). Raises InvalidBody with every problem at once."""
        if not isinstance(body, list):
            return Order(submissions=(self._read(body, now, ""),), is_array=False)
        if not 1 <= len(body) <= MAX_ELEMENTS:
            raise InvalidBody(self._not_the_form(""))
        submissions: list[Submission] = []
        problems: list[Problem] = []
        index = 0
        while index < len(body):
            alike: list[Variant] = []
            try:
                read = self._read(body[index], now, f"/{index}")
                alike = self._alike(body, index)
                submissions.append(attrs.evolve(read, others=alike) if alike else read)
            except InvalidBody as invalid:
                problems += invalid.problems
            index += 1 + len(alike)
        if problems:
            raise InvalidBody(*problems[:MAX_PROBLEMS])
        return Order(submissions=tuple(submissions), is_array=True)

    def _read(self, body: object, now: float, place: str) -> Submission:
        if not isinstance(body, dict):
            raise InvalidBody(self._not_the_form(place))
        bad: set[Path] = set()
        if not self._quick.is_valid(body):
            bad = {path for error in self._validator.iter_errors(body) for path in _paths(error, body, self.schema)}
        try:
            return Submission.parse(body, now, bad, allow_private=self._allow_private)
        except InvalidSubmission as invalid:
            raise InvalidBody(*self._problems(invalid.paths, body, place)) from None

    def _alike(self, elements: Sequence[Any], index: int) -> list[Variant]:
        """The good elements that follow a good one at ``index`` and differ from it only in what may vary."""
        found: list[Variant] = []
        first = elements[index]
        if "recipient" not in first:
            return found
        names = first.keys()
        fixed = [name for name in names if name not in _VARYING]
        same = [first[name] for name in fixed]
        # Values of JSON that are equal are not always the same to the schema: 1 and 1.0 and true.
        kinds = [*map(type, same)]
        for place in range(index + 1, len(elements)):
            element = elements[place]
            if type(element) is not dict or element.keys() != names:
                break
            values = [element[name] for name in fixed]
            if values != same or [*map(type, values)] != kinds:
                break
            if not self._quick_varying.is_valid(element) or (read := variant(element)) is None:
                break
            found.append(read)
        return found

    def _not_the_form(self, place: str) -> Problem:
        return Problem(pointer=place, message=f"The body is invalid: {self.schema['description']!r}")

    def _problems(self, bad: Iterable[Path], body: dict[str, Any], place: str) -> Iterator[Problem]:
        for path in sorted(bad, key=self._rank):
            field, value = str(path[0]), body.get(str(path[0]), "")
            rule = self.schema["properties"].get(field, {}).get("description", "Is not a known field")
            if field == "recipient" and "recipients" in body:
                rule = "Must not stand beside recipients"
            shown = value[path[1]] if len(path) > 1 and isinstance(value, list) and isinstance(path[1], int) else value
            pointer = place + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
            yield Problem(pointer=pointer, message=f"'{echo(field)}' field '{echo(shown)}' is invalid: '{rule}'")

    def _rank(self, path: Path) -> tuple[int, str, list[int]]:
        # In the order of the schema, unknown fields last.
        field = str(path[0])
        known = self._order.index(field) if field in self._order else len(self._order)
        return known, field, [step for step in path if isinstance(step, int)]


def fingerprint(body: object) -> str:
    """A hash that is the same for the same JSON value, however it is written."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _paths(error: "ValidationError", body: dict[str, Any], schema: dict[str, Any]) -> list[Path]:
    if error.absolute_path:
        return [tuple(error.absolute_path)[:2]]
    if error.validator == "required":
        return [(field,) for field in cast(list[str], error.validator_value) if field not in body]
    return [(field,) for field in body if field not in schema["properties"]]


def echo(value: Any) -> str:
    """``value`` as JSON has it, or as much as is needed to know it again."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _ECHO else text[:_ECHO] + "…"


def read_json(raw: bytes) -> Any:
    """The value of a JSON text in strict RFC 8259 form. Raises InvalidBody.

    Refused as well: a name that stands twice in an object, NaN and infinities, lone surrogates, and nesting or
    numbers beyond what Python's parser takes.
    """
    try:
        value = _JSON.decode(raw.decode("utf-8"))
        if b"\\u" in raw:  # only an escape can make a surrogate without its other half
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise _malformed("a \\u escape is half of a surrogate pair") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError is one; so is a number of too many digits
        raise _malformed(str(error) if raw.strip() else "it is empty") from None
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


#: Made once: to make one takes longer than to read a small body.
_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
