"""Open pages are told what has changed, each what it may see, and none more than its connection takes."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from smsd.api.dashboard.live import BEAT, EVERY_S, MAX_VIEWERS, Live, TooMany
from smsd.api.dashboard.sight import Sight

READER = Sight(reads=True, operates=False, sends=False)
OPERATOR = Sight(reads=False, operates=True, sends=False)


class Page:
    """An open page, as Live knows a request: it is written to, and says when it has no room."""

    channel = None

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.producer: Any = None
        self.ended: Deferred[bytes]

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Room:
    """A live page that shows a number and who looks."""

    def __init__(self) -> None:
        self.number = 1
        self.looks = 0
        self.clock = Clock()
        self.live = Live(look=self._look, paint=self._paint, clock=self.clock)

    async def _look(self) -> Any:
        self.looks += 1
        return self.number

    def _paint(self, seen: Any, sight: Sight) -> dict[str, str]:
        return {"number": str(seen), "reads": str(sight.reads)}

    def join(self, sight: Sight | None = READER) -> Any:
        page: Any = Page()
        page.ended = self.live.join(page, lambda: sight)
        return page

    def pass_s(self, seconds: float) -> None:
        self.clock.pump([EVERY_S] * int(seconds / EVERY_S))


def told(request: Any) -> list[dict[str, str]]:
    """The events that were written, and forget them."""
    events = [json.loads(each[6:]) for each in request.written if each.startswith(b"data: ")]
    request.written.clear()
    return events


def test_the_first_event_is_the_whole_page_and_then_only_what_changes() -> None:
    room = Room()
    request = room.join()
    assert told(request) == [{"number": "1", "reads": "True"}]
    room.pass_s(3)
    assert told(request) == []
    room.number = 2
    room.pass_s(1)
    assert told(request) == [{"number": "2"}]


def test_one_look_serves_all_and_each_sees_what_it_may() -> None:
    room = Room()
    reader, operator = room.join(), room.join(OPERATOR)
    looks = room.looks
    room.pass_s(1)
    assert room.looks == looks + 1
    assert (told(reader)[0]["reads"], told(operator)[0]["reads"]) == ("True", "False")


def test_a_connection_that_is_full_is_told_the_latest_once_it_has_room() -> None:
    room = Room()
    request = room.join()
    told(request)
    request.producer.pauseProducing()
    for number in (2, 3, 4):
        room.number = number
        room.pass_s(1)
    assert told(request) == []
    request.producer.resumeProducing()
    room.pass_s(1)
    assert told(request) == [{"number": "4"}]


def test_a_quiet_line_is_kept_awake() -> None:
    room = Room()
    request = room.join()
    told(request)
    room.pass_s(BEAT * EVERY_S)
    assert request.written == [b": still here\n\n"]


def test_nobody_looks_when_nobody_watches() -> None:
    room = Room()
    request = room.join()
    room.live.stop()
    assert request.ended.result == b""
    looks = room.looks
    room.pass_s(5)
    assert room.looks == looks
    assert told(room.join()) != []


def test_a_session_that_is_over_is_told_so() -> None:
    room = Room()
    request = room.join(None)
    assert request.ended.result.startswith(b"event: over")


def test_there_is_an_end_to_how_many_watch() -> None:
    room = Room()
    for _ in range(MAX_VIEWERS):
        room.join()
    with pytest.raises(TooMany):
        room.join()
