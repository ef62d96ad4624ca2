"""What only the SQLite engine does: it outlives crashes, and never writes where it should not."""

import random
import resource
import sqlite3
import stat
import struct
import sys
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet.defer import Deferred, DeferredList, gatherResults

from smsd.core.address import Msisdn, Originator
from smsd.core.errors import LeaseLost, SmsdError, SpoolRefused, SpoolUnavailable, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.message import Message, Priority, What
from smsd.core.outcome import Throttled
from smsd.core.policy import Policy
from smsd.core.query import Query
from smsd.core.retry import Backoff
from smsd.core.settle import begin, cancel, expire, settle
from smsd.spool import record, schema
from smsd.spool.places import NEAR
from smsd.spool.search import SLACK, SLICE, search_sql, ways
from smsd.spool.sqlite import SqliteSpool
from smsd.spool.sqlitetable import SqliteTable
from smsd.spool.table import _OVERDUE, OVER
from smsd.spool.tally import STRETCH_BITS, Tally
from tests.messages import NOW, ROOM, sms

POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0), attempts=0)


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@async_yield_fixture
async def start(reactor: Any, path: Path):
    """Opens the spool again and again, as a daemon does; the last one is closed at the end."""
    started = []

    def begin(busy_s: float = 0) -> SqliteSpool:
        spool = SqliteSpool(str(path), reactor=reactor, busy_s=busy_s)
        spool.open()
        started.append(spool)
        return spool

    yield begin
    for spool in started:
        await spool.close()


def query(path: Path, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql, values).fetchall()


@contextmanager
def locked(path: Path):
    """Another program writes and does not finish."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def full_disk(path: Path):
    """No file of this process may grow past the size of the write-ahead log."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def commits(path: Path) -> int:
    """How many transactions are in the write-ahead log (https://www.sqlite.org/fileformat2.html, 4.1)."""
    wal = Path(f"{path}-wal").read_bytes()
    (page_size,) = struct.unpack_from(">I", wal, 8)
    frames = range(32, len(wal), 24 + page_size)
    # A frame that ends a transaction says how many pages the database has after it.
    return sum(struct.unpack_from(">I", wal, frame + 4)[0] > 0 for frame in frames)


@ensureDeferred
async def test_a_message_is_in_the_file_when_its_append_returns(start, path):
    spool = start()
    await spool.append([sms(id="A" * 26)], ROOM)
    assert query(path, "SELECT id, state FROM message") == [("A" * 26, "queued")]


@ensureDeferred
async def test_a_message_that_was_answered_survives_a_crash(start, path, tmp_path, reactor):
    message = sms()
    spool = start()
    await spool.append([message], ROOM)
    for name in ("spool.db", "spool.db-wal"):  # what a crash leaves: the files, and nothing of the process
        (tmp_path / f"crashed-{name}").write_bytes((tmp_path / name).read_bytes())
    crashed = SqliteSpool(str(tmp_path / "crashed-spool.db"), reactor=reactor)
    crashed.open()
    assert await crashed.find(message.id) == message
    await crashed.close()


@ensureDeferred
async def test_what_was_being_sent_when_the_daemon_died_is_uncertain(start):
    waiting, sending, sent = sms(), sms(), sms()
    spool = start()
    await spool.append([waiting, sending, sent], ROOM)
    leases = await spool.lease(NOW, 3)
    begun = [await spool.store(lease, begin(lease.message, NOW + 1, "test")) for lease in leases[1:]]
    await spool.store(begun[1], attrs.evolve(begun[1].message, state=State.SENT))
    await spool.close()

    spool = start()
    assert await spool.recover(NOW + 60) == 1
    found = await spool.find(sending.id)
    assert (found.state, found.changed_at, found.attempts) == (State.UNCERTAIN, NOW + 60, 1)
    assert [(event.at, event.state, event.what) for event in found.history] == [
        (NOW + 60, State.UNCERTAIN, What.INTERRUPTED)
    ]
    depth = (await spool.standing()).states
    assert {state: n for state, n in depth.items() if n} == dict.fromkeys(
        [State.QUEUED, State.UNCERTAIN, State.SENT], 1
    )
    assert [lease.message for lease in await spool.lease(NOW + 60, 9, State.UNCERTAIN)] == [found]
    assert [lease.message for lease in await spool.lease(NOW + 60, 9)] == [waiting]


@ensureDeferred
async def test_a_restart_keeps_the_order_and_frees_what_was_leased(start):
    messages = [sms() for _ in range(5)]
    spool = start()
    await spool.append(messages, ROOM)
    await spool.lease(NOW, 2)
    await spool.close()
    spool = start()
    assert [lease.message for lease in await spool.lease(NOW, 9)] == messages
    assert (await spool.append([sms()], ROOM)).first == 5


@ensureDeferred
async def test_what_waits_goes_into_one_transaction(start, path):
    spool = start(busy_s=10)
    await spool.append([sms() for _ in range(100)], ROOM)
    leases = await spool.lease(NOW, 100)
    before = commits(path)
    with locked(path):  # so all of them wait
        calls = [Deferred.fromCoroutine(spool.store(each, begin(each.message, NOW, "test"))) for each in leases]
        calls += [Deferred.fromCoroutine(spool.append([sms()], ROOM)) for _ in range(400)]
    await gatherResults(calls)
    assert query(path, "SELECT state, count(*) FROM message GROUP BY state") == [("queued", 400), ("sending", 100)]
    # Whatever the thread had taken before it had to wait, and all the rest.
    assert commits(path) - before <= 2


@ensureDeferred
async def test_a_full_disk_fails_every_call_and_changes_nothing(start, path):
    spool = start()
    await spool.append([sms(), sms()], ROOM)
    [lease, _] = await spool.lease(NOW, 2)
    before = (await spool.standing()).states
    refused = [sms() for _ in range(10)]
    with full_disk(path):
        calls = [spool.append([each], ROOM) for each in refused] + [
            spool.store(lease, begin(lease.message, NOW, "test"))
        ]
        results = await DeferredList([Deferred.fromCoroutine(call) for call in calls], consumeErrors=True)
        assert [type(failure.value) for _, failure in results] == [SpoolUnavailable] * 11
        assert (await spool.standing()).states == before
    for each in refused:
        with pytest.raises(UnknownMessage):
            await spool.find(each.id)
    assert (await spool.find(lease.message.id)).state is State.QUEUED
    # There is room again: everything goes on, and the lease was held all the while.
    assert await spool.lease(NOW, 9) == []
    await spool.store(lease, begin(lease.message, NOW, "test"))
    assert (await spool.append(refused, ROOM)).first == 1


@ensureDeferred
async def test_a_locked_file_fails_the_call_and_the_next_is_tried_anew(start, path):
    spool = start()
    with locked(path):
        with pytest.raises(SpoolUnavailable, match="locked"):
            await spool.append([sms()], ROOM)
        with pytest.raises(SpoolUnavailable, match="locked"):
            await spool.lease(NOW, 1)
    assert (await spool.append([sms()], ROOM)).first == 0


@ensureDeferred
async def test_a_text_that_is_no_unicode_spoils_no_other_message(start):
    spool = start()
    good = [sms(), sms()]
    calls = [Deferred.fromCoroutine(spool.append([each], ROOM)) for each in (good[0], sms(body="\ud800"), good[1])]
    results = await DeferredList(calls, consumeErrors=True)
    assert [is_done for is_done, _ in results] == [True, False, True]
    assert isinstance(results[1][1].value, ValueError)
    assert [lease.message for lease in await spool.lease(NOW, 9)] == good


@ensureDeferred
async def test_a_message_that_was_canceled_from_outside_is_lost_to_its_taker(start, path):
    spool = start()
    await spool.append([sms()], ROOM)
    [lease] = await spool.lease(NOW, 1)
    query(path, "UPDATE message SET state = 'canceled', ready = NULL")
    with pytest.raises(LeaseLost) as lost:
        await spool.store(lease, begin(lease.message, NOW, "test"))
    assert lost.value.state == "canceled"
    assert (await spool.find(lease.message.id)).state is State.CANCELED
    query(path, "UPDATE message SET state = 'queued', ready = 1")
    assert len(await spool.lease(NOW, 1)) == 1


@ensureDeferred
async def test_many_that_become_due_at_once_are_handed_out_best_priority_first(start, reactor):
    spool = start()
    low = [sms(not_before=NOW + 1, priority=2) for _ in range(1200)]
    high = sms(not_before=NOW + 1, priority=0)
    await spool.append([*low, high], ROOM)
    leases = [lease for _ in range(13) for lease in await spool.lease(NOW + 1, 100)]
    assert [lease.message.id for lease in leases] == [high.id, *(each.id for each in low)]


@ensureDeferred
async def test_the_line_is_read_from_its_index_without_sorting(start, path):
    start()
    plan = query(
        path,
        "EXPLAIN QUERY PLAN SELECT * FROM message"
        " WHERE ready = 1 AND state = 'queued' AND priority = 1 AND api_key = 'demo' ORDER BY seq",
    )
    assert [step[3] for step in plan] == [
        "SEARCH message USING INDEX message_in_line (state=? AND priority=? AND api_key=?)"
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        {"state": State.DEAD},
        {"originator": "MB"},
        {"reference": "x"},
        {"since": 1.0},
        {"until": 1.0},
        {"before": 7},
        {"recipient": Msisdn("31600000001"), "before": 7},
    ],
    ids=" ".join,
)
def test_a_page_is_found_through_an_index_and_never_by_scanning_or_sorting_the_messages(start, path, wanted):
    dialect = start()._reading._dialect
    plan = planned(path, *search_sql(Query(**wanted), dialect))
    assert any(step.startswith("SEARCH message USING") for step in plan)
    assert not any("SCAN message" in step or "TEMP B-TREE FOR ORDER BY" in step for step in plan)


@pytest.mark.parametrize("more", [{}, {"since": 1.0}, {"until": 1.0}], ids=["alone", "since", "until"])
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_what_a_key_has_in_a_state_is_found_by_both(start, path, state, more):
    dialect = start()._reading._dialect
    plan = planned(path, *search_sql(Query(state=state, api_key="shop", **more), dialect))
    assert plan[0].startswith("SEARCH message USING INDEX message_api_key (api_key=? AND state=?")


WAYS = [
    {"api_key": "shop"},
    {"api_key": "shop", "since": 1.0, "before": 7},
    {"originator": "MB", "state": State.QUEUED},
    {"originator": "MB", "api_key": "shop"},
    {"originator": "MB", "api_key": "shop", "state": State.QUEUED},
    {"originator": "MB", "state": State.QUEUED, "since": 1.0, "until": 9.0, "before": 7},
    {"reference": "x", "state": State.DEAD},
    {"batch": "x", "state": State.DEAD},
    {"recipient": Msisdn("31600000001"), "since": 1.0},
    {"recipient": Msisdn("31600000001"), "state": State.DEAD, "before": 7},
    {"is_held": True, "api_key": "shop"},
]


@pytest.mark.parametrize("wanted", WAYS, ids=" ".join)
def test_a_slice_is_read_from_an_index_and_its_messages_by_their_places(start, path, wanted):
    dialect = start()._reading._dialect
    asked = Query(**wanted)
    for way in ways(asked, dialect):
        plan = planned(path, *way.floor_sql(asked, SLICE, dialect))
        assert any("SEARCH message USING" in step or "message_held" in step for step in plan)
        assert not any(step == "SCAN message" or "TEMP B-TREE" in step for step in plan)
        plan = planned(path, *way.search_sql(asked, 3, dialect))
        assert "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)" in plan
        assert not any(step == "SCAN message" or "TEMP B-TREE FOR ORDER BY" in step for step in plan)


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def planned(path: Path, sql: str, values: Any) -> list[str]:
    return [step[3] for step in query(path, f"EXPLAIN QUERY PLAN {sql}", values)]


@ensureDeferred
async def test_few_in_a_state_are_not_looked_for_among_all_of_an_originator(start, path):
    spool = start()
    await spool.append([sms(originator=Originator("MB")) for _ in range(SLICE + 1)], sys.maxsize)
    read: list[str] = []
    spool._reading._file.set_trace_callback(read.append)
    page = await spool.search(Query(state=State.DEAD, originator="MB"))
    assert (page.messages, page.before) == ((), None)
    assert "AS MATERIALIZED (SELECT seq FROM message WHERE state = 'dead')" in read[-1]


@ensureDeferred
async def test_no_more_than_a_slice_is_looked_through_for_a_page(start, path):
    spool = start()
    for key, originator in (("one", "MB"), ("two", "Shop")):
        some = [sms(api_key=key, originator=Originator(originator)) for _ in range(SLICE + 10)]
        await spool.append(some, sys.maxsize)
    page = await spool.search(Query(api_key="two", originator="MB"))
    assert (page.messages, page.before) == ((), 11)
    page = await spool.search(Query(api_key="two", originator="MB", before=page.before))
    assert (page.messages, page.before) == ((), None)


@ensureDeferred
async def test_a_span_of_time_among_many_messages_has_them_all(start, path):
    spool = start()
    count = 2 * SLACK + 5000
    await spool.append([sms(accepted_at=NOW + n, not_before=NOW + n) for n in range(count)], sys.maxsize)
    for since, until in ((0, 3), (SLACK + 2000, SLACK + 2005), (count - 3, count + 9), (count + 5, count + 9)):
        page = await spool.search(Query(since=NOW + since, until=NOW + until, limit=9))
        found = [each.accepted_at - NOW for each in page.messages]
        assert found == list(range(since, min(until, count)))[::-1]


@ensureDeferred
async def test_what_is_finished_is_found_by_its_index_to_be_forgotten(start, path):
    start()
    sql = f"EXPLAIN QUERY PLAN SELECT seq FROM message WHERE {OVER} AND changed_at < 1 ORDER BY changed_at"
    assert [step[3] for step in query(path, sql)] == ["SEARCH message USING INDEX message_keep (changed_at<?)"]


def test_what_is_past_its_validity_is_found_by_an_index_of_its_own(start, path):
    start()
    plan = planned(path, _OVERDUE, (1.0, 10))
    assert plan == ["SEARCH message USING INDEX message_valid_until (state=? AND valid_until>? AND valid_until<?)"]


@ensureDeferred
async def test_of_a_forgotten_text_nothing_is_left_in_the_file(start, path):
    spool = start()
    many = [sms(body=f"very private {n}") for n in range(500)]
    await spool.append(many, ROOM)
    for each in many:
        await spool.amend(each.id, lambda message: cancel(message, NOW))
    assert await spool.forget(NOW + 1, 500) == 500
    await spool.close()
    assert b"very private" not in path.read_bytes()


@ensureDeferred
async def test_the_numbers_of_a_block_are_there_as_long_as_their_messages_have_them(start, path):
    spool = start()
    one, other = sms(recipients=(Msisdn("31600111222"),)), sms(recipients=(Msisdn("31600333444"), Msisdn("4321")))
    await spool.append([one, other], ROOM)
    assert query(path, "SELECT * FROM numbers") == [(0, ",111222,333444,004321")]
    await spool.amend(one.id, lambda message: cancel(message, NOW))
    assert await spool.forget(NOW + 1, 9) == 1
    assert query(path, "SELECT * FROM numbers") == [(0, ",333444,004321")]
    await spool.amend(other.id, lambda message: cancel(message, NOW))
    assert await spool.forget(NOW + 1, 9) == 1
    assert query(path, "SELECT * FROM numbers") == []


@ensureDeferred
@pytest.mark.parametrize("is_older", [False, True], ids=["new", "made by an older smsd"])
async def test_a_number_is_found_in_whatever_block_it_is(start, path, is_older):
    # The last six digits of two of them are the same, and some are found across the ends of two others.
    numbers = [Msisdn(each) for each in ("31600111222", "49170111222", "4321", "316001112224", "222111", "9" * 15)]
    many = [
        sms(recipients=tuple(numbers[n % 6 : n % 6 + 1 + n % 2])) if n % 97 == 0 else sms(recipients=(Msisdn("7" * 9),))
        for n in range(1000)
    ]
    spool = start()
    for piece in (many[:1], many[1:255], many[255:258], many[258:]):
        await spool.append(piece, ROOM)
    if is_older:
        await spool.close()
        undo = "DROP TABLE numbers; CREATE TABLE recipient (x); CREATE INDEX message_recipient ON message (id);"
        run(path, f"{undo} PRAGMA user_version = 7;")
        spool = start()
    for number in [*numbers, Msisdn("11122")]:
        wanted = [each.id for each in reversed(many) if number in each.recipients]
        found, before = [], None
        while not found or before is not None:
            page = await spool.search(Query(recipient=number, limit=2, before=before))
            found += [each.id for each in page.messages]
            before = page.before
            if not wanted:
                break
        assert found == wanted


@ensureDeferred
async def test_what_waits_for_its_time_is_not_in_the_line(start, path):
    spool = start()
    await spool.append([sms(), sms(not_before=NOW + 1)], ROOM)
    [lease] = await spool.lease(NOW, 9)
    assert query(path, "SELECT count(*) FROM message WHERE ready = 1") == [(1,)]
    await spool.store(lease, begin(lease.message, NOW, "test"))
    assert query(path, "SELECT count(*) FROM message WHERE ready = 1") == [(0,)]


@ensureDeferred
async def test_a_second_daemon_is_refused_and_told_who_holds_the_file(start, path):
    Path(f"{path}.lock").write_text("12345678901\n")  # of a daemon that is gone
    spool = start()
    with pytest.raises(SpoolRefused) as refused:
        start()
    [pid] = Path(f"{path}.lock").read_text().split()
    assert refused.value.reason == f"{path} is in use by process {pid}"
    assert Path(f"/proc/{pid}").is_dir()
    await spool.close()
    start()


@ensureDeferred
async def test_the_same_file_by_another_name_is_refused_too(start, path, reactor):
    start()
    other_name = path.parent / "link.db"
    other_name.symlink_to(path)
    with pytest.raises(SpoolRefused, match="in use"):
        SqliteSpool(str(other_name), reactor=reactor).open()


@pytest.mark.parametrize("pragma", ["application_id = 7", "application_id = 0"])
def test_the_file_of_another_program_is_refused_and_left_as_it_is(reactor, path, pragma):
    query(path, "CREATE TABLE photos (id)")
    query(path, f"PRAGMA {pragma}")
    before = path.read_bytes()
    spool = SqliteSpool(str(path), reactor=reactor)
    with pytest.raises(SpoolRefused, match=r"spool\.db: the file belongs to another program"):
        spool.open()
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(reactor, path):
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(SpoolRefused, match="not a database"):
        SqliteSpool(str(path), reactor=reactor).open()
    assert path.read_bytes() == b"Dear diary, " * 1000


def test_a_path_that_is_a_folder_is_refused(reactor, path):
    path.mkdir()
    with pytest.raises(SpoolRefused, match="Is a directory"):
        SqliteSpool(str(path), reactor=reactor).open()


@ensureDeferred
async def test_a_refused_file_can_be_opened_once_the_reason_is_gone(start, path):
    query(path, "CREATE TABLE photos (id)")
    with pytest.raises(SpoolRefused):
        start()
    path.unlink()
    assert (await start().append([sms()], ROOM)).first == 0


@ensureDeferred
async def test_a_file_whose_making_was_cut_short_is_made_anew(start, path):
    query(path, "PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    assert (await start().append([sms()], ROOM)).first == 0


@ensureDeferred
async def test_a_newer_schema_is_refused(start, path):
    await start().close()
    version = len(schema.migrations())
    query(path, f"PRAGMA user_version = {version + 1}")
    with pytest.raises(SpoolRefused, match=f"version {version + 1}, this smsd knows {version}: upgrade"):
        start()


@ensureDeferred
async def test_an_upgrade_runs_what_is_missing_and_keeps_the_messages(start, path):
    message = sms()
    spool = start()
    await spool.append([message], ROOM)
    await spool.close()
    known = schema.migrations()
    upgraded = [*known, "ALTER TABLE message ADD COLUMN colour TEXT;\nUPDATE message SET colour = 'red';"]
    for _ in range(2):  # the second time there is nothing left to do
        with closing(schema.connect(path, busy_s=0)) as connection:
            schema.prepare(connection, upgraded)
    assert query(path, "SELECT id, colour FROM message") == [(message.id, "red")]
    assert query(path, "PRAGMA user_version") == [(len(known) + 1,)]
    assert query(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]


@ensureDeferred
async def test_what_was_kept_before_there_were_traces_is_still_there_and_goes_on(start, path):
    message = sms(callback_url="https://example.com/hook")
    with closing(schema.connect(path, busy_s=0)) as connection:
        schema.prepare(connection, schema.migrations()[:3])
        given = dict(zip((*record.FIELDS, "ready"), record.to_row(message), strict=True))
        del given["traceparent"], given["portion"]
        names, places = ", ".join(given), ", ".join("?" * len(given))
        connection.execute(f"INSERT INTO message ({names}) VALUES ({places})", list(given.values()))
        owed = ("old-1", "https://example.com/hook", b"{}", "demo", NOW, 0, NOW, "https://example.com")
        connection.execute("INSERT INTO callback VALUES (?, ?, ?, ?, ?, ?, ?, ?)", owed)
    spool = start()
    assert await spool.find(message.id) == message
    assert [each.id for each in await spool.take_callbacks(NOW, NOW + 60, 9, 9, frozenset())] == ["old-1"]
    assert (await spool.lease(NOW, 1))[0].message == message


@ensureDeferred
async def test_an_upgrade_that_fails_changes_nothing(start, path):
    await start().close()
    known = schema.migrations()
    with closing(schema.connect(path, busy_s=0)) as connection, pytest.raises(sqlite3.OperationalError):
        schema.prepare(connection, [*known, "ALTER TABLE message ADD COLUMN colour TEXT;\nNONSENSE;"])
    assert query(path, "PRAGMA user_version") == [(len(known),)]
    assert "colour" not in query(path, "SELECT sql FROM sqlite_schema WHERE name = 'message'")[0][0]
    assert (await start().append([sms()], ROOM)).first == 0


@ensureDeferred
async def test_missing_folders_are_made_and_nobody_else_may_read(reactor, tmp_path):
    path = tmp_path / "var" / "spool" / "smsd.db"
    spool = SqliteSpool(str(path), reactor=reactor)
    spool.open()
    await spool.append([sms()], ROOM)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path.parent, *path.parent.iterdir()]}
    assert modes == {
        "spool": 0o700,
        "smsd.db": 0o600,
        "smsd.db-wal": 0o600,
        "smsd.db-shm": 0o600,
        "smsd.db.lock": 0o600,
    }
    await spool.close()


def test_every_commit_reaches_the_disk(path):
    with closing(schema.connect(path, busy_s=0)) as connection:
        schema.prepare(connection, schema.migrations())
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_ledger_reads_only(path):
    with closing(schema.connect(path, busy_s=0)) as connection:
        schema.prepare(connection, schema.migrations())
    with closing(schema.connect_to_read(path, busy_s=0)) as reading, pytest.raises(sqlite3.OperationalError):
        reading.execute("DELETE FROM message")


@ensureDeferred
async def test_a_close_leaves_one_file_and_no_thread(start, path):
    spool = start()
    await spool.append([sms()], ROOM)
    await spool.find((await spool.lease(NOW, 1))[0].message.id)
    assert sum("smsd-spool" in thread.name for thread in threading.enumerate()) == 2
    await spool.close()
    assert not any("smsd-spool" in thread.name for thread in threading.enumerate())
    assert sorted(file.name for file in path.parent.iterdir()) == ["spool.db", "spool.db.lock"]


@ensureDeferred
async def test_a_search_is_not_held_up_by_what_is_being_written(start, path):
    message = sms()
    spool = start()
    await spool.append([message], ROOM)
    with locked(path):
        assert await spool.find(message.id) == message


@ensureDeferred
async def test_a_ledger_that_cannot_be_read_is_unavailable(start, path):
    spool = start()
    query(path, "ALTER TABLE message RENAME TO elsewhere")
    with pytest.raises(SpoolUnavailable, match="no such table"):
        await spool.find("A" * 26)


@ensureDeferred
async def test_a_file_with_a_second_name_is_refused(start, path):
    await start().close()
    (path.parent / "other.db").hardlink_to(path)
    with pytest.raises(SpoolRefused, match="hard link"):
        start()


@ensureDeferred
async def test_a_second_daemon_is_refused_also_when_the_lock_file_was_removed(start, path):
    start()
    Path(f"{path}.lock").unlink()
    with pytest.raises(SpoolRefused, match="is in use"):
        start()


@pytest.mark.parametrize("replaced", [False, True])
@ensureDeferred
async def test_nothing_is_promised_once_the_file_is_gone(start, path, replaced):
    spool = start()
    await spool.append([sms()], ROOM)
    path.rename(path.with_suffix(".away"))
    if replaced:
        path.touch()
    with pytest.raises(SpoolUnavailable, match="removed or replaced"):
        await spool.append([sms()], ROOM)
    path.with_suffix(".away").replace(path)
    assert (await spool.append([sms()], ROOM)).first == 1


@pytest.mark.parametrize("key", ["shop", "bank"])
@ensureDeferred
async def test_the_place_in_a_long_line_is_exact_wherever_it_is(start, key: str) -> None:
    spool = start()
    # Every seventh is of another key. For each of ours the other has a turn, and bank has the first.
    messages = [sms(api_key="bank" if number % 7 == 0 else "shop") for number in range(3 * NEAR)]
    for own in ("shop", "bank"):
        await spool.append([each for each in messages if each.api_key == own], ROOM)
    line = [each for each in messages if each.api_key == key]
    others = len(messages) - len(line)
    for before in (0, 1, len(line) // 3, len(line) // 2, 2 * len(line) // 3, len(line) - 1):
        assert (await spool.ahead(line[before].id)).first == before + min(others, before + (key == "shop"))


def recounted(path: Path) -> Tally:
    with closing(sqlite3.connect(path)) as connection:
        return SqliteTable(connection, lambda: None).count()


@pytest.mark.parametrize("seed", range(3))
@ensureDeferred
async def test_what_is_counted_as_messages_come_and_go_is_what_is_there(start, path: Path, seed: int) -> None:
    spool = start()
    await spool.append([sms()], ROOM)
    await spool.close()
    # Close before the end of a stretch: what comes and goes is in three of them.
    query(path, "UPDATE message SET seq = ?", (2**STRETCH_BITS - 20,))
    spool, chance, now = start(), random.Random(seed), NOW
    messages: list[Message] = []
    for turn in range(40):
        now += 1.0
        many, in_s = chance.randint(1, 9), chance.choice([0.0, 0.0, 7.0])
        if turn == 36:
            many, in_s = 2**STRETCH_BITS, 0.0
        later = {"not_before": now + in_s, "accepted_at": now, "changed_at": now}
        more = [sms(api_key=chance.choice("ab"), priority=Priority(chance.randrange(2)), **later) for _ in range(many)]
        await spool.append(more, ROOM)
        messages += more
        for lease in await spool.lease(now, chance.randint(0, 4)):
            match chance.randrange(4):
                case 0:
                    await spool.release(lease)
                case 1:
                    begun = await spool.store(lease, begin(lease.message, now, "test"))
                    if chance.random() < 0.5:
                        await spool.store(begun, settle(begun.message, Throttled(reason="429"), now, POLICY, 0.5))
                case _:
                    await spool.store(lease, expire(lease.message, now))
        with suppress(SmsdError):
            await spool.amend(chance.choice(messages).id, lambda stored, now=now: cancel(stored, now))
        if chance.random() < 0.2:
            await spool.hold(now - 5.0, chance.randint(1, 5))
            await spool.unhold(0.0, now, chance.randint(1, 5))
        if chance.random() < 0.1:
            await spool.close()
            spool = start()
        counted, there = spool._desk.tally, recounted(path)
        assert attrs.evolve(counted, depth={each: n for each, n in counted.depth.items() if n}) == there
    await spool.close()
    spool = start()  # nothing is leased
    waiting = {id for (id,) in query(path, "SELECT id FROM message WHERE ready = 1 AND state = 'queued'")}
    line = [each for each in messages if each.id in waiting and each.line == (Priority.HIGH, "a")]
    assert len(line) > 2**STRETCH_BITS / 8
    others = len([each for each in messages if each.id in waiting and each.line == (Priority.HIGH, "b")])
    for before in (0, len(line) // 2, len(line) - 1):
        assert (await spool.ahead(line[before].id)).first == before + min(others, before)


@ensureDeferred
async def test_nobody_counts_through_a_line_to_find_a_place_in_it(start, path: Path) -> None:
    spool = start()
    await spool.append([sms() for _ in range(2 * 2**STRETCH_BITS)], ROOM)
    [message] = (await spool.search(Query(before=2**STRETCH_BITS + 11, limit=1))).messages
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    spool._reading._file.set_progress_handler(step, 1000)
    assert (await spool.ahead(message.id)).first == 2**STRETCH_BITS + 9
    assert steps <= 1
