"""Prints a file that is made from the settings, or says that the one in the repository is stale."""

from __future__ import annotations

import sys
from pathlib import Path


def run(arguments: list[str], text: str, command: str) -> int:
    """Print ``text``, or with ``--check FILE`` answer 1 and say so when FILE differs from it; 2 for wrong use.

    ``command`` is what a person types to make the file.
    """
    if not arguments:
        sys.stdout.write(text)
        return 0
    if len(arguments) != 2 or arguments[0] != "--check":
        sys.stderr.write(f"Usage: {command} [--check FILE]\n")
        return 2
    path = Path(arguments[1])
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{path} is stale; run {command} > {path}\n")
    return 1
