"""Draws the life of a message into a Markdown file, from the table that the code obeys."""

import re
import sys
from pathlib import Path

from smsd.core.lifecycle import diagram

_DRAWN = re.compile(r"(```mermaid\n).*?(```)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the diagram into the file named last; with ``--check`` only say whether it is stale (exit code 1)."""
    path = Path(arguments[-1])
    text = path.read_text(encoding="utf-8")
    drawn = _DRAWN.sub(lambda found: found[1] + diagram() + found[2], text)
    if drawn == text:
        return 0
    if "--check" in arguments:
        sys.stderr.write(f"{path} is stale; run make docs\n")
        return 1
    path.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
