"""Remembers beside a campaign's file how far it got, so that what was cut off goes on and nothing goes twice."""

import json
import os
from pathlib import Path
from typing import Any, Final

import attrs

#: Version of the written form.
FORM: Final = 1


class BadJournal(Exception):
    """This journal cannot be gone on with."""


@attrs.frozen(kw_only=True)
class Journal:
    """How far a campaign got; each step is a new value."""

    mark: str  #: of the campaign, see Campaign.mark
    url: str  #: the smsd that it goes to
    chunk: int  #: messages in one request
    skipped: tuple[int, ...]  #: lines that were bad when it began
    run: int = 0  #: how often it was sent before, at somebody's word
    taken: int = 0  #: chunks that smsd has
    asked_at: float | None = None  #: UTC epoch seconds; when the chunk after these was posted first, None if it was not
    is_done: bool = False

    def key(self) -> str:
        """The Idempotency-Key of the next chunk; the same however often it is asked, on any machine."""
        return f"{self.mark[:40]}-{self.chunk}-{self.run}-{self.taken}"

    def write(self, path: Path) -> "Journal":
        """Keep it durably at ``path``, and give it back. Raises OSError."""
        half = path.with_name(path.name + ".new")
        with half.open("w", encoding="utf-8") as file:
            json.dump({"form": FORM, **attrs.asdict(self)}, file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        return self

    @classmethod
    def read(cls, path: Path) -> "Journal | None":
        """What is kept at ``path``; None when there is nothing. Raises BadJournal and OSError."""
        try:
            given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if given.pop("form") != FORM:
                raise BadJournal(f"{path} is of another version of smsctl.")
            return cls(**{**given, "skipped": tuple(given["skipped"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BadJournal(f"{path} is no journal of smsctl.") from None
