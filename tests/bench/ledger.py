"""Times how fast messages are found with a million stored, against a spool of one in the same run.

python -m tests.bench.ledger
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.lifecycle import State
from smsd.core.message import Event, Message, Priority, What
from smsd.core.moment import moment
from smsd.core.query import Query
from smsd.spool.sqlite import SqliteSpool
from tests.integration.daemon import KEY, DaemonProcess
from tests.messages import NOW, message
from tests.model.threads import ThreadCalls

#: Messages in one append, as in the largest array.
ARRAY = 10_000
#: Times that each question is put.
TIMES = 200
#: The share of each state, in hundredths; what is rare is in the first of each hundred thousand only.
STATES = (
    [State.DELIVERED] * 60 + [State.SENT] * 20 + [State.QUEUED] * 15 + [State.UNDELIVERED] * 3 + [State.EXPIRED] * 2
)


#: A number that gets every alarm.
ALARMED = Msisdn("31612345678")


def stored(number: int) -> Message:
    """Message ``number`` of the many: 20 API keys, 500 originators, 100,000 numbers, one accepted each 0.1 s.

    Some have much in common, and never together: a quarter is of the key ``bulk``, 150,000 in a million are by the
    originator ``Shop`` and all delivered, 100,000 have the reference ``campaign`` and none of them is, 100,000 are
    alarms.
    """
    at = NOW + number / 10
    state = State.DEAD if number % 100_000 == 7 else STATES[number % 100]
    is_even, is_delivered = number % 4 == 0, number % 100 < 60
    return message(
        f"{number:026}",
        recipients=(ALARMED if number % 10 == 5 else Msisdn(f"316{number % 100_000:08}"),),
        originator=Originator("Shop" if is_even and is_delivered else f"MB{number % 500}"),
        api_key="bulk" if number % 4 == 2 else f"key{number % 20}",
        reference="campaign" if is_even and not is_delivered else f"order-{number}" if number % 2 else "",
        priority=Priority(number % 3),
        accepted_at=at,
        changed_at=at,
        not_before=at,
        state=state,
        history=() if state is State.QUEUED else (Event(at=at, state=state, what=What.SENT),),
    )


def questions(count: int) -> Iterator[tuple[str, Query]]:
    """Each kind of question, by its name."""
    late, early, middle = NOW + count / 10 - 60, NOW + 60, NOW + count / 20
    yield "no filter", Query()
    yield "state=queued", Query(state=State.QUEUED)
    yield "state=dead (few)", Query(state=State.DEAD)
    yield "state=canceled (none)", Query(state=State.CANCELED)
    yield "recipient", Query(recipient=Msisdn("31600000042"))
    yield "recipient (none)", Query(recipient=Msisdn("4912345678"))
    yield "originator", Query(originator="MB42")
    yield "reference", Query(reference=f"order-{count // 2 | 1}")
    yield "api_key", Query(api_key="key7")
    yield "since, last minute", Query(since=late)
    yield "until, first minute", Query(until=early)
    yield "since and until, in the middle", Query(since=middle, until=middle + 60)
    yield "state and api_key", Query(state=State.DELIVERED, api_key="key7")
    yield "state=dead and api_key", Query(state=State.DEAD, api_key="key7")
    yield "state and originator (none)", Query(state=State.QUEUED, originator="MB42")
    yield "state and api_key (none)", Query(state=State.UNDELIVERED, api_key="key3")
    yield "api_key and since", Query(api_key="key7", since=late)
    yield "api_key and until", Query(api_key="key7", until=early)
    yield "recipient and state", Query(recipient=Msisdn("31600000042"), state=State.DELIVERED)
    yield "state=dead and until", Query(state=State.DEAD, until=middle)
    yield "api_key (none)", Query(api_key="nobody")
    yield "recipient of 100,000", Query(recipient=ALARMED)
    yield from pairs(count)


def pairs(count: int) -> Iterator[tuple[str, Query]]:
    """Questions whose every filter admits a great many."""
    early, middle = NOW + 60, NOW + count / 20
    yield "originator and state, all", Query(originator="Shop", state=State.DELIVERED)
    yield "originator and state, none", Query(originator="Shop", state=State.SENT)
    yield "originator and api_key, none", Query(originator="Shop", api_key="bulk")
    yield "originator, api_key, state, none", Query(originator="Shop", api_key="bulk", state=State.DELIVERED)
    yield "reference and state, none", Query(reference="campaign", state=State.DELIVERED)
    yield "reference and originator, none", Query(reference="campaign", originator="Shop")
    yield "recipient and state, none", Query(recipient=ALARMED, state=State.EXPIRED)
    yield "recipient and api_key, none", Query(recipient=ALARMED, api_key="bulk")
    yield "originator and until, far back", Query(originator="Shop", until=early)
    yield "originator and since, in the middle", Query(originator="Shop", since=middle)
    yield "state and until, far back", Query(state=State.SENT, until=early)
    yield "originator, state, until, none", Query(originator="Shop", state=State.SENT, until=middle)


@attrs.frozen
class Timing:
    """How long something took, in milliseconds."""

    median: float
    p99: float

    @classmethod
    def of(cls, ask: Callable[[], object], times: int = TIMES) -> "Timing":
        """Ask ``times`` times."""
        took = []
        for _ in range(times):
            begun = perf_counter()
            ask()
            took.append((perf_counter() - begun) * 1000)
        return cls(statistics.median(took), sorted(took)[int(times * 0.99) - 1])


@contextmanager
def opened(folder: Path) -> Iterator[tuple[SqliteSpool, ThreadCalls]]:
    """The spool in ``folder``, and what waits for it."""
    threads = ThreadCalls()
    spool = SqliteSpool(str(folder / "smsd.db"), reactor=threads)
    spool.open()
    yield spool, threads
    threads.result(spool.close())


def fill(folder: Path, count: int, make: Callable[[int], Message]) -> None:
    """Append ``count`` messages to a new spool in ``folder``."""
    folder.mkdir()
    begun = perf_counter()
    with opened(folder) as (spool, threads):
        for start in range(0, count, ARRAY):
            array = [make(number) for number in range(start, min(count, start + ARRAY))]
            threads.result(spool.append(array, sys.maxsize))
    size = (folder / "smsd.db").stat().st_size / 1e6
    print(f"{count:,} messages stored in {perf_counter() - begun:.0f} s, {size:,.0f} MB", flush=True)


def at_the_engine(folder: Path, count: int) -> dict[str, Timing]:
    """How long each question takes at the engine's search."""
    with opened(folder) as (spool, threads):
        return {
            name: Timing.of(lambda query=query: threads.result(spool.search(query)))  # type: ignore[misc]
            for name, query in questions(count)
        }


def over_http(folder: Path, paths: dict[str, str]) -> dict[str, Timing]:
    """How long each of ``paths`` takes at a daemon of its own over the spool in ``folder``; it can send nowhere."""
    daemon = DaemonProcess(folder, "http://127.0.0.1:9", keep="3650")
    process = daemon.spawn()
    try:
        connection = HTTPConnection("127.0.0.1", daemon.port)
        _await(connection, daemon)
        return {name: Timing.of(lambda path=path: _get(connection, path)) for name, path in paths.items()}  # type: ignore[misc]
    finally:
        process.terminate()
        process.wait()


def _await(connection: HTTPConnection, daemon: DaemonProcess) -> None:
    while True:
        try:
            return _get(connection, "/health")
        except ConnectionError:
            connection.close()
            assert daemon.process is not None
            assert daemon.process.poll() is None, daemon.output.read_text()
            sleep(0.1)


def _get(connection: HTTPConnection, path: str) -> None:
    connection.request("GET", path, headers={"X-API-Key": KEY})
    response = connection.getresponse()
    response.read()
    assert response.status in (200, 404), response.status


def lists(count: int) -> dict[str, str]:
    """The first pages that are asked for over HTTP."""
    return {
        "GET /sms": "/sms",
        "GET /sms?state=queued": "/sms?state=queued",
        "GET /sms?recipient": "/sms?recipient=31600000042",
        "GET /sms?api_key": "/sms?api_key=key7",
        "GET /sms?since": f"/sms?since={moment(NOW + count / 10 - 60)}",
        "GET /sms?state=dead&api_key": "/sms?state=dead&api_key=key7",
    }


def waiting(number: int) -> Message:
    """Message ``number`` of many that all wait in one line."""
    return attrs.evolve(stored(number), state=State.QUEUED, history=(), priority=Priority.NORMAL, api_key="one")


def table(title: str, full: dict[str, Timing], empty: dict[str, Timing]) -> None:
    """Print both side by side."""
    print(f"\n{title:<36} {'median ms':>10} {'p99 ms':>9} {'median / one':>15} {'p99 / one':>12}")
    for name, each in full.items():
        other = empty[name]
        ratios = f"{each.median / other.median:>15.1f} {each.p99 / other.p99:>12.1f}"
        late = "  over 50 ms" if each.p99 > 50 else ""
        print(f"{name:<36} {each.median:>10.2f} {each.p99:>9.2f} {ratios}{late}", flush=True)


def main() -> None:
    """Fill, ask, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path, help="where there is room for 3 GB")
    given = options.parse_args()
    with TemporaryDirectory(dir=given.folder) as made:
        full, line, empty = Path(made, "full"), Path(made, "line"), Path(made, "empty")
        fill(empty, 1, waiting)
        fill(full, given.messages, stored)
        table("first page at the engine", at_the_engine(full, given.messages), at_the_engine(empty, given.messages))
        pages = lists(given.messages)
        table("first page over HTTP", over_http(full, pages), over_http(empty, pages))
        fill(line, given.messages, waiting)
        places = {"the last that waits": given.messages - 1, "one in the middle": given.messages // 2}
        asked = {f"GET /sms/ID, {name}": f"/sms/{number:026}" for name, number in places.items()}
        table(
            "one over HTTP, with its position",
            over_http(line, asked),
            over_http(empty, dict.fromkeys(asked, f"/sms/{0:026}")),
        )


if __name__ == "__main__":
    main()
