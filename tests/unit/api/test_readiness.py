"""/ready tells each thing that is wrong, and is 503 only for those that stop messages."""

from pathlib import Path
from typing import Any

import pytest

from smsd.api.readiness import Readiness


class World:
    """All that readiness looks at."""

    def __init__(self) -> None:
        self.stopped = dict.fromkeys(("accepting", "provider", "spool", "engine"), "")
        self.wall, self.monotonic = 1_700_000_000.0, 5.0
        self.lost = {"log": 0, "sentry": 0}
        self.folder: Path | None = None

    def readiness(self) -> Readiness:
        return Readiness(
            stops={name: lambda name=name: self.stopped[name] for name in self.stopped},  # type: ignore[misc]
            folder=self.folder,
            now=lambda: self.wall,
            monotonic=lambda: self.monotonic,
            drops=lambda: self.lost,
        )


def told(readiness: Readiness) -> tuple[int, dict[str, Any]]:
    answer = readiness.look()
    return answer.code, answer.body


def test_all_is_well() -> None:
    code, body = told(World().readiness())
    assert (code, body["status"], body["message"]) == (200, "ok", "smsd takes and sends messages")
    assert body["checks"] == dict.fromkeys(
        ("accepting", "provider", "spool", "engine", "disk", "clock", "reporters"), "ok"
    )


@pytest.mark.parametrize("name", ["accepting", "provider", "spool", "engine"])
def test_what_stops_messages_is_503_and_named(name: str) -> None:
    world = World()
    world.stopped[name] = "it is away"
    code, body = told(world.readiness())
    assert (code, body["status"], body["message"]) == (503, "error", "it is away")
    assert {check: why for check, why in body["checks"].items() if why != "ok"} == {name: "it is away"}


@pytest.mark.parametrize(("step", "words"), [(2.1, "+2.1 s"), (-3600.0, "-3600.0 s")])
def test_a_clock_that_was_set_is_told_and_stops_nothing(step: float, words: str) -> None:
    world = World()
    readiness = world.readiness()
    world.wall, world.monotonic = world.wall + 100 + step, world.monotonic + 100
    code, body = told(readiness)
    assert (code, body["checks"]["clock"]) == (200, f"the clock was set by {words} since the start")


def test_a_clock_that_only_drifts_is_not_told() -> None:
    world = World()
    readiness = world.readiness()
    world.wall, world.monotonic = world.wall + 86_400.0, world.monotonic + 86_399.0
    assert told(readiness)[1]["checks"]["clock"] == "ok"


def test_reporters_that_lost_something_are_told_by_name() -> None:
    world = World()
    world.lost = {"log": 0, "sentry": 3, "datadog": 1}
    code, body = told(world.readiness())
    assert (code, body["checks"]["reporters"]) == (200, "sentry did not get 3 notices, datadog did not get 1 notices")


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    world = World()
    world.folder = tmp_path / "gone"
    assert told(world.readiness())[1]["checks"]["disk"] == f"{tmp_path}/gone: No such file or directory"


def test_a_file_system_that_tells_no_size_is_not_full() -> None:
    world = World()
    world.folder = Path("/proc")
    assert told(world.readiness())[1]["checks"]["disk"] == "ok"
