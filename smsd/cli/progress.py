"""Shows on a terminal how far a long command is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from smsd.cli.output import is_json


@contextmanager
def progress(total: int, begun: int) -> Iterator[Callable[[int, str], None]]:
    """A bar on the error output while it is a terminal."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, disable=is_json() or not console.is_terminal) as bar:
        task = bar.add_task("", total=total, completed=begun)
        yield lambda done, why: bar.update(task, completed=done, description=why)
