"""What smsd imports is what its installation brings."""

import ast
import sys
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import smsd


def test_every_library_that_is_imported_comes_with_the_installation() -> None:
    extras = set(metadata("smsd").get_all("Provides-Extra") or ()) - {"dev"}
    brought: set[str] = set()
    _bring("smsd", {"", *extras}, brought)
    distributions, folder = packages_distributions(), Path(smsd.__file__).parent
    strangers = {
        f"{path.relative_to(folder)}: {name}"
        for path in folder.rglob("*.py")
        for name in _imported(path) - sys.stdlib_module_names
        if not brought & {canonicalize_name(each) for each in distributions.get(name, ())}
    }
    assert not strangers


def _bring(name: str, extras: set[str], brought: set[str]) -> None:
    """Add to ``brought`` what is installed with ``name``, and with its ``extras``."""
    brought |= {canonicalize_name(name), *(f"{name}[{each}]" for each in extras)}
    try:
        requirements = [Requirement(each) for each in requires(name) or ()]
    except PackageNotFoundError:
        return  # of an extra that is not installed
    for each in requirements:
        is_needed = each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
        wanted = {"", *each.extras}
        if is_needed and not brought >= {canonicalize_name(each.name), *(f"{each.name}[{extra}]" for extra in wanted)}:
            _bring(each.name, wanted, brought)


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names
