"""Whoever installs smsd gets what it imports, without the tools of its developers."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported() -> Iterator[str]:
    """The outermost package of every import in the program."""
    for file in (ROOT / "smsd").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (each.name.partition(".")[0] for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield "zope.interface" if node.module.startswith("zope") else node.module.partition(".")[0]


def plain(name: str) -> str:
    """A distribution's name as the Python Packaging User Guide normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_everything_that_is_imported_is_asked_for_at_the_installation() -> None:
    asked = {plain(re.split(r"[^A-Za-z0-9._-]", each)[0]) for each in requires("smsd") or [] if "dev" not in each}
    known = {"zope.interface": ["zope.interface"], **packages_distributions()}
    theirs = set(imported()) - sys.stdlib_module_names - {"smsd"}
    assert "twisted" in theirs
    assert {name for name in theirs if asked.isdisjoint(map(plain, known[name]))} == set()
