"""A backlog is moved with smsctl while no daemon runs, is cut off, goes on, and every SMS is sent once."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.integration.daemon import ROOT, SMS, DaemonProcess, until
from tests.integration.provider import Provider

MANY = 1200


def command(source: str, target: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "smsd.cli.entry", "--json", "spool", "copy", source, target],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def copied(source: str, target: str) -> tuple[int, Any, str]:
    process = command(source, target)
    out, err = await deferToThread(process.communicate, timeout=120)
    return process.returncode, json.loads(out or "null"), err


def number_in(path: Path) -> int:
    """How many messages the file has, if it is one by now."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])
    return 0


@pytest_twisted.ensureDeferred
async def test_a_copy_that_is_killed_goes_on_and_every_sms_is_sent_once(
    daemon: Any, provider: Provider, tmp_path: Path
) -> None:
    server: DaemonProcess = daemon(rate="0.5")
    await server.start()
    first = await server.accepted(message="one that went before")
    many = [SMS | {"message": f"number {number}", "recipient": 31600000000 + number} for number in range(MANY)]
    answer = await (await server.post(many, Idempotency_Key="campaign")).json()
    await until(lambda: len(provider.stored) > 0, "the first is sent")
    code, told, _ = await copied(f"sqlite:///{server.spool}", f"sqlite:///{tmp_path / 'new.db'}")
    assert (code, "is in use by process" in told["message"]) == (1, True)
    assert await server.terminate() == 0

    source, target = f"sqlite:///{server.spool}", f"sqlite:///{tmp_path / 'new.db'}"
    process = command(source, target)
    await until(lambda: number_in(tmp_path / "new.db") > 0 or process.poll() is not None, "it has begun")
    process.kill()
    process.communicate()
    code, told, err = await copied(source, target)
    assert code == 0, err
    assert told["moved"] + told["there"] == MANY + 1

    # Whoever starts the old one again by mistake sends nothing.
    server.environment["SMSD_RATE"] = "400"
    await server.start()
    new = DaemonProcess(tmp_path, provider.url, rate="400", spool=target)
    await new.start()
    try:
        assert (await (await new.post(many, Idempotency_Key="campaign")).json())["ids"] == answer["ids"]
        await until(lambda: len(provider.stored) >= MANY + 1, "all are sent")
        assert (await new.shown(first))["state"] == "sent"
        assert {(await new.shown(id))["state"] for id in answer["ids"][::500]} <= {"sent", "sending"}
        assert (await server.shown(answer["ids"][-1]))["held"] is True
    finally:
        await new.terminate()
    references = Counter(each.json()["reference"] for each in provider.posts())
    assert set(references.values()) == {1}
    assert references.keys() == {first, *answer["ids"]}


@pytest_twisted.ensureDeferred
async def test_a_backlog_outgrows_its_file_and_comes_back(daemon: Any, database: str, tmp_path: Path) -> None:
    server: DaemonProcess = daemon(rate="0.001")
    await server.start()
    ids = [await server.accepted() for _ in range(5)]
    assert await server.terminate() == 0
    file, again = f"sqlite:///{server.spool}", f"sqlite:///{tmp_path / 'again.db'}"
    assert (await copied(file, database))[1]["moved"] == 5
    assert (await copied(database, again))[1]["moved"] == 5
    server.environment["SMSD_SPOOL"] = again
    await server.start()
    for id in ids:
        shown = await server.shown(id)
        assert shown["state"] in ("queued", "sent")
        assert shown["held"] is False


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("memory:", "in memory"),
        ("sqlite:///a.db", "the same"),
        ("nonsense", "it must be memory:"),
        ("sqlite:///b.db", "There is no a.db"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_moved_to_is_refused(target: str, said: str) -> None:
    process = command("sqlite:///a.db", target)
    out, err = await deferToThread(process.communicate, timeout=60)
    assert process.returncode in (1, 2)
    assert said in out + err
