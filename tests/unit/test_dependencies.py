"""What smsd imports is what its installation brings."""

import ast
import re
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Final

import smsd

#: Extras of which a user chooses what the daemon needs; ``dev`` is none.
_DEV: Final = "dev"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def test_every_library_that_is_imported_comes_with_the_installation() -> None:
    needed = {_normal(found[0]) for each in requires("smsd") or () if (found := _NAME.match(each)) and _is_ours(each)}
    distributions = packages_distributions()
    folder = Path(smsd.__file__).parent
    strangers = {
        f"{path.relative_to(folder)}: {name}"
        for path in folder.rglob("*.py")
        for name in _imported(path)
        if name not in sys.stdlib_module_names
        and name != "smsd"
        and not needed & {_normal(each) for each in distributions.get(name, ())}
    }
    assert not strangers


def _is_ours(requirement: str) -> bool:
    return not re.search(rf"extra == ['\"]{_DEV}['\"]", requirement)


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
