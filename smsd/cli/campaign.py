"""Makes an SMS of each line of a CSV file, and judges all of them before the first is sent."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from smsd.api.validation import InvalidBody, SmsBody, fingerprint

_PLACE: Final = re.compile(r"\{([^{}]+)\}")


class BadCampaign(Exception):
    """Nothing can be made of this file."""


@attrs.frozen(kw_only=True)
class Line:
    """What one line of the file asks for."""

    number: int  #: in the file; of a line that goes over several, the last
    body: Mapping[str, Any]  #: as ``POST /sms`` takes it
    segments: int  #: that its recipient would get; 0 when it is bad
    problems: tuple[str, ...]  #: none when it is good


@attrs.frozen(kw_only=True)
class Form:
    """How the fields of an SMS are found in a line."""

    columns: Mapping[str, str]  #: by field, the heading of its column
    fixed: Mapping[str, str]  #: by field, what all lines have; ``{heading}`` in a message stands for a cell
    delimiter: str = ","


@attrs.frozen(kw_only=True)
class Campaign:
    """All lines of a file, judged."""

    lines: tuple[Line, ...]

    @classmethod
    def read(cls, path: Path, form: Form, now: float) -> "Campaign":
        """Judge the file at ``path`` at ``now`` (UTC epoch seconds). Raises BadCampaign and OSError."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return cls(lines=tuple(_judged(csv.DictReader(file, delimiter=form.delimiter), form, now)))
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadCampaign(f"{path} cannot be read as CSV in UTF-8: {error}") from error

    @property
    def good(self) -> tuple[Line, ...]:
        """The lines that can be sent."""
        return tuple(line for line in self.lines if not line.problems)

    @property
    def bad(self) -> tuple[Line, ...]:
        """The lines that cannot."""
        return tuple(line for line in self.lines if line.problems)

    @property
    def segments(self) -> int:
        """What all good lines take on the air."""
        return sum(line.segments for line in self.lines)

    @property
    def repeated(self) -> int:
        """Recipients that stand in more than one good line."""
        times = Counter(str(line.body["recipient"]).lstrip("+") for line in self.good)
        return sum(1 for each in times.values() if each > 1)

    @property
    def mark(self) -> str:
        """The same for the same bodies in the same order, and for no others."""
        return fingerprint([dict(line.body) for line in self.lines])


def _judged(rows: "csv.DictReader[str]", form: Form, now: float) -> Iterator[Line]:
    judge = SmsBody(allow_private=True)  # where callbacks may lead is the daemon's to say
    fields = judge.schema["properties"].keys() - {"recipients"}
    columns = _columns(rows.fieldnames or (), form, fields)
    whole = {name for name in fields if judge.schema["properties"][name].get("type") == "integer"}
    for row in rows:
        body = _body(row, columns, form.fixed, whole)
        segments, problems = _verdict(judge, body, now)
        if None in row or None in row.values():
            segments, problems = 0, ("It has not as many cells as the first line",)
        yield Line(number=rows.line_num, body=body, segments=segments, problems=problems)


def _columns(headings: Any, form: Form, fields: set[str]) -> Mapping[str, str]:
    """By field, the heading of its column: as asked, else a heading that is a field's name."""
    asked = [*form.columns.values(), *_PLACE.findall(form.fixed.get("message", ""))]
    if missing := [heading for heading in asked if heading not in headings]:
        raise BadCampaign(f"There is no column {missing[0]!r}; there are: {', '.join(headings)}.")
    if unknown := sorted(form.columns.keys() - fields):
        raise BadCampaign(f"An SMS has no {unknown[0]!r}; it has: {', '.join(sorted(fields))}.")
    return {name: name for name in headings if name in fields and name not in form.fixed} | dict(form.columns)


def _body(
    row: Mapping[str, str], columns: Mapping[str, str], fixed: Mapping[str, str], whole: set[str]
) -> dict[str, Any]:
    cells = {field: row[heading] for field, heading in columns.items() if row[heading]}
    body: dict[str, Any] = {**fixed, **cells}
    if "message" in fixed and "message" not in columns:
        body["message"] = _PLACE.sub(lambda place: row[place[1]] or "", fixed["message"])
    for field in body.keys() & whole:
        # What is no number stays a text, and is refused as one.
        body[field] = int(body[field]) if re.fullmatch(r"[0-9]{1,18}", body[field]) else body[field]
    if "recipient" in body:
        body["recipient"] = body["recipient"].strip()
    return body


def _verdict(judge: SmsBody, body: dict[str, Any], now: float) -> tuple[int, tuple[str, ...]]:
    try:
        return judge.parse(body, now).submissions[0].segmentation.parts, ()
    except InvalidBody as invalid:
        return 0, tuple(problem.message for problem in invalid.problems)
