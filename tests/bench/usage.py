"""Reads what a process and its children use of the machine (Linux's /proc)."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_NANOSECOND: Final = 1e-9
_KIBIBYTE: Final = 1024


def family(pid: int) -> list[int]:
    """``pid`` and its children."""
    return [pid, *(int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def cpu_s(pid: int) -> Mapping[int, float]:
    """Seconds that each process of the family of ``pid`` has run on a core."""
    return {each: _ran_s(each) for each in family(pid)}


def spent_s(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Seconds of a core between two readings, by all that were alive at the second."""
    return sum(ran - before.get(pid, 0.0) for pid, ran in after.items())


def resident(pid: int) -> int:
    """Octets of memory that the process ``pid`` alone has (RSS)."""
    return _kibibytes(Path(f"/proc/{pid}/status"), "VmRSS:") * _KIBIBYTE


def resident_of_all(pid: int) -> int:
    """Octets of memory that the family of ``pid`` has, what they share counted once (PSS)."""
    return sum(_kibibytes(Path(f"/proc/{each}/smaps_rollup"), "Pss:") for each in family(pid)) * _KIBIBYTE


def _ran_s(pid: int) -> float:
    ran = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            ran += int((thread / "schedstat").read_text().split()[0])
    return ran * _NANOSECOND


def _kibibytes(file: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(name))
