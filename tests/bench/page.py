"""Writes what was measured into a page, between two marks, and leaves the rest of the page alone."""

import argparse
import os
import platform
import shutil
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.integration.daemon import ROOT

#: The page's name.
PAGE: Final = "performance.md"
_PACKAGES: Final = ("twisted", "klein", "jsonschema-rs", "jsonschema", "attrs", "messagebird", "requests")


def replace(page: str, name: str, text: str) -> str:
    """``page`` with ``text`` between the marks called ``name``. Raises ValueError if they are not there."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks {begin.strip()} or {end}")
    return f"{before}{begin}{text}{end}{after}"


def write(folder: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks called ``name`` of the page in ``folder``."""
    path = folder / PAGE
    path.write_text(replace(path.read_text(), name, text))


def arguments(about: str) -> argparse.Namespace:
    """What a benchmark's command was given: ``smoke``, ``docs``."""
    options = argparse.ArgumentParser(description=about)
    options.add_argument("--smoke", action="store_true", help="only see that it runs: tiny, and written into a copy")
    options.add_argument("--docs", type=Path, default=ROOT / "docs", help="the folder with the page")
    return options.parse_args()


def folder(given: argparse.Namespace, made: Path) -> Path:
    """Where the page is: in ``docs``, or a copy of it in ``made``."""
    if not given.smoke:
        docs: Path = given.docs
        return docs
    shutil.copy(given.docs / PAGE, made)
    return made


def machine() -> str:
    """When and on what this is measured, in a sentence or two."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%d %B %Y}; {len(os.sched_getaffinity(0))} cores of {_processor()}, {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {versions}.\n"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
