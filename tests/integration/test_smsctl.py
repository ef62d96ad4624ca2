"""What an operator does with smsctl, against a real daemon."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.integration.bucket import AWS
from tests.integration.daemon import KEY, ROOT, SMS, DaemonProcess, free_port, until
from tests.integration.provider import UNPROCESSABLE, WRONG_KEY, Provider

SLOW = {"rate": "0.001"}  # nothing is sent but the first
ONE = ("send", "31633450007", "-o", "MB", "-m", "Hello")


class Smsctl:
    """Runs smsctl as a process of its own."""

    def __init__(self, url: str, folder: Path, key: str = KEY) -> None:
        self.environment = {"PYTHONPATH": str(ROOT), "SMSD_URL": url, "SMSD_API_KEY": key, "NO_PROXY": "127.0.0.1"}
        self._folder = folder

    async def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        ended = await deferToThread(
            subprocess.run,
            [sys.executable, "-W", "error", "-m", "smsd.cli.entry", *arguments],
            env={**self.environment, **environment},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stdout, ended.stderr

    async def json(self, *arguments: str, **environment: str) -> list[Any]:
        """What a command that must succeed writes, line by line."""
        code, out, err = await self(*arguments, "--json", **environment)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def smsctl(tmp_path: Path) -> Any:
    return lambda server, **more: Smsctl(server.url, tmp_path, **more)


def written(folder: Path, lines: int, bad: int = 0) -> str:
    path = folder / "campaign.csv"
    rows = [f"{31633450000 + number},Person {number}" for number in range(lines)] + ["12,Bad"] * bad
    path.write_text("\n".join(["phone,name", *rows]) + "\n")
    return str(path)


def campaign(path: str, *more: str) -> list[str]:
    return ["send", "--file", path, "--column", "recipient=phone", "-o", "MB", "-m", "Hi {name}", *more]


@pytest_twisted.ensureDeferred
async def test_an_sms_is_sent_listed_shown_and_canceled(daemon: Any, smsctl: Any) -> None:
    server: DaemonProcess = daemon(**SLOW)
    await server.start()
    ctl = smsctl(server)
    await server.accepted()
    code, out, err = await ctl(*ONE)
    assert (code, len(out)) == (0, 27)
    assert "1 segment," in err
    id = out.strip()
    assert [each["id"] for each in await ctl.json("list", "--state", "queued", "-n", "1")] == [id]
    assert (await ctl.json("show", id))[0]["message"] == "Hello"
    assert (await ctl.json("cancel", id))[0]["state"] == "canceled"
    code, _, err = await ctl("cancel", id)
    assert (code, err) == (1, "smsctl: A message that is canceled cannot become canceled.\n")
    code, out, _ = await ctl("show", id)
    assert code == 0
    assert "canceled" in out
    assert ("None" in out, "False" in out) == (False, False)
    code, out, _ = await ctl("tail", "--looks", "1")
    assert code == 0
    assert len(out.splitlines()) == 2


@pytest_twisted.ensureDeferred
async def test_exit_codes_tell_what_to_do_next(daemon: Any, smsctl: Any, tmp_path: Path) -> None:
    server = daemon(**SLOW)
    await server.start()
    ctl = smsctl(server)
    code, out, err = await ctl("--json", "send", "31633450007", "-m", "no originator")
    assert (code, err, json.loads(out)["errors"][0]["pointer"]) == (1, "", "/originator")
    for key, said in (("wrong", "from SMSD_API_KEY\n"), ("", "from SMSD_API_KEY, which is not set\n")):
        code, _, err = await smsctl(server, key=key)("list")
        assert (code, err.endswith(said)) == (1, True), err
    assert (await ctl("send"))[0] == 2
    assert (await ctl("list", "--colour", "red"))[0] == 2
    assert (await ctl("status"))[0] == 0
    nobody = Smsctl(f"http://127.0.0.1:{free_port()}", tmp_path)
    assert (await nobody("list"))[0] == 3
    assert (await nobody("status"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_status_says_that_nothing_is_sent(daemon: Any, provider: Provider, smsctl: Any) -> None:
    provider.script([WRONG_KEY] * 500)
    server = daemon(rate="20")
    await server.start()
    ctl = smsctl(server)
    await server.accepted()

    async def is_held() -> bool:
        return bool((await ctl("status"))[0] == 3)

    await until(is_held, "the provider is held off")
    code, out, _ = await ctl("status", "--json")
    told = json.loads(out)
    assert (code, told["status"], told["figures"]["held"]) == (3, "error", ["messagebird"])


@pytest_twisted.ensureDeferred
async def test_a_campaign_is_shown_first_and_sent_once(daemon: Any, smsctl: Any, tmp_path: Path) -> None:
    server = daemon(**SLOW)
    await server.start()
    ctl = smsctl(server)
    path = written(tmp_path, lines=5, bad=1)
    code, out, _ = await ctl(*campaign(path, "--dry-run", "--json"))
    plan = json.loads(out)
    assert (code, plan["count"], plan["segments"], plan["left"]) == (1, 5, 5, 5)
    assert [each["line"] for each in plan["bad"]] == [7]
    assert plan["eta"] > "2026"
    code, _, err = await ctl(*campaign(path, "-y"))
    assert (code, "--skip-bad" in err) == (1, True)
    assert await ctl.json("list") == []
    code, _, err = await ctl(*campaign(path, "-y", "--skip-bad", "--chunk", "2"))
    assert (code, "All 5 SMS are taken" in err) == (0, True)
    assert {each["message"] for each in await ctl.json("list")} == {f"Hi Person {number}" for number in range(5)}
    code, _, err = await ctl(*campaign(path, "-y", "--skip-bad"))
    assert (code, "--again" in err) == (1, True)
    assert len(await ctl.json("list")) == 5


@pytest_twisted.ensureDeferred
async def test_a_campaign_goes_on_after_the_daemon_was_away(daemon: Any, smsctl: Any, tmp_path: Path) -> None:
    server = daemon(**SLOW)
    await server.start()
    ctl = smsctl(server)
    path = written(tmp_path, lines=6)
    await ctl.json(*campaign(path, "-y", "--chunk", "2"))
    journal = Path(path + ".smsctl")
    kept = json.loads(journal.read_text())
    # As it is when smsctl was killed between an answer and the note of it.
    journal.write_text(json.dumps({**kept, "taken": 1, "is_done": False, "asked_at": 4e9}))
    await server.terminate()
    code, _, err = await ctl(*campaign(path, "-y"))
    assert (code, "The same command goes on from here" in err) == (3, True)
    await server.start()
    code, _, err = await ctl(*campaign(path, "-y"))
    assert (code, "4 are to be sent" in err) == (0, True)
    assert len(await ctl.json("list")) == 6


@pytest_twisted.ensureDeferred
async def test_dead_letters_are_replayed_from_the_ledger(daemon: Any, provider: Provider, smsctl: Any) -> None:
    provider.script([UNPROCESSABLE] * 3)
    server = daemon(rate="20")
    await server.start()
    ctl = smsctl(server)
    ids = [await server.accepted() for _ in range(3)]
    await until(lambda: _are(ctl, "dead", 3), "they are dead")
    code, out, _ = await ctl("replay", ids[0])
    assert (code, ids[0] in out) == (0, True)
    assert (await ctl("replay", "--all", "--originator", "MB"))[0] == 130  # nobody there to say yes
    assert (await ctl.json("replay", "--all", "--originator", "MB", "-y"))[0]["count"] == 2
    await until(lambda: _are(ctl, "sent", 3), "they are sent")
    assert (await ctl("replay", "--originator", "MB"))[0] == 2


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_letters_of_a_lost_spool_are_sent_once_more_and_once_only(
    daemon: Any, provider: Provider, smsctl: Any, tmp_path: Path, s3: str, kind: str
) -> None:
    provider.script([UNPROCESSABLE])
    archive = f"file://{tmp_path / 'letters'}" if kind == "file" else "s3://letters/here"
    server = daemon(rate="20", archive=archive)
    server.environment |= AWS | {"AWS_ENDPOINT_URL": s3}
    await server.start()
    ctl = smsctl(server)
    ctl.environment |= AWS | {"AWS_ENDPOINT_URL": s3}
    id = await server.accepted(message="Ask again", reference="order 7", validity=600)
    await until(lambda: _letters(ctl, archive, 1), "there is a letter")
    letter = (await ctl.json("archive", "list", SMSD_ARCHIVE=archive))[0]
    assert letter["recipient"] == str(SMS["recipient"])
    code, out, _ = await ctl("archive", "--archive", archive, "show", letter["key"])
    assert (code, json.loads(out)["id"]) == (0, id)
    await _start_afresh(server)
    replay = ("archive", "replay", "--all", "-y")
    first = (await ctl.json(*replay, SMSD_ARCHIVE=archive))[0]
    sent = await ctl.json("list")
    assert [(each["id"], each["message"], each["reference"]) for each in sent] == [
        (first["id"], "Ask again", "order 7")
    ]
    # The archive remembers, though smsd may have forgotten the key, or be another one.
    await _start_afresh(server)
    again = (await ctl.json(*replay, SMSD_ARCHIVE=archive))[0]
    assert again["id"] == first["id"] != id
    assert again["done"].startswith("left alone: it went to")
    assert await ctl.json("list") == []


async def _start_afresh(server: DaemonProcess) -> None:
    await server.terminate()
    for file in server.folder.glob("smsd.db*"):
        file.unlink()
    await server.start()


@pytest_twisted.ensureDeferred
async def test_a_letter_that_was_posted_without_an_answer_is_taken_once_or_left_to_a_person(
    daemon: Any, provider: Provider, smsctl: Any, tmp_path: Path
) -> None:
    provider.script([UNPROCESSABLE])
    archive = tmp_path / "letters"
    server = daemon(rate="20", archive=f"file://{archive}")
    await server.start()
    ctl = smsctl(server)
    ctl.environment["SMSD_ARCHIVE"] = f"file://{archive}"
    await server.accepted()
    await until(lambda: _letters(ctl, f"file://{archive}", 1), "there is a letter")
    await _start_afresh(server)
    replay = ("archive", "replay", "--all", "-y")
    first = (await ctl.json(*replay))[0]
    # As it is when smsctl was killed before the answer was there.
    shutil.rmtree(archive / "replayed" / "taken")
    assert (await ctl.json(*replay))[0] == first
    assert len(await ctl.json("list")) == 1
    shutil.rmtree(archive / "replayed" / "taken")
    [asked] = (archive / "replayed" / "asked").rglob("*.json")
    asked.write_text(json.dumps({**json.loads(asked.read_text()), "at": 1.0}))
    code, _, err = await ctl(*replay)
    assert (code, "--in-doubt again" in err) == (1, True)
    assert (await ctl.json(*replay, "--in-doubt", "again"))[0] == first


@pytest_twisted.ensureDeferred
async def test_letters_that_smsd_still_has_are_queued_there_and_not_sent_beside(
    daemon: Any, provider: Provider, smsctl: Any, tmp_path: Path
) -> None:
    provider.script([UNPROCESSABLE])
    archive = f"file://{tmp_path / 'letters'}"
    server = daemon(rate="20", archive=archive)
    await server.start()
    ctl = smsctl(server)
    id = await server.accepted()
    await until(lambda: _letters(ctl, archive, 1), "there is a letter")
    replay = ("archive", "replay", "--all", "-y")
    assert (await ctl.json(*replay, SMSD_ARCHIVE=archive))[0] == {
        "key": (await ctl.json("archive", "list", SMSD_ARCHIVE=archive))[0]["key"],
        "id": id,
        "done": "queued again",
    }
    await until(lambda: _are(ctl, "sent", 1), "it is sent")
    assert (await ctl.json(*replay, SMSD_ARCHIVE=archive))[0]["done"] == "left alone: it is sent"
    assert len(await ctl.json("list")) == 1


@pytest_twisted.ensureDeferred
async def test_settings_are_checked_as_the_daemon_reads_them(tmp_path: Path) -> None:
    ctl = Smsctl("http://127.0.0.1:9", tmp_path)
    (tmp_path / "smsd.toml").write_text("rate = 7\n")
    assert (await ctl.json("config", "check", SMSD_KEEP="3"))[0]["settings"] | {"rate": 7.0, "keep": 3.0} == (
        await ctl.json("config", "check", SMSD_KEEP="3")
    )[0]["settings"]
    _, out, told = await ctl("config", "check", SMSD_KEEP="3", SMSD_KEY_QUOTA="demo=500, 1000")
    said = dict(line.split(maxsplit=1) for line in out.splitlines())
    wanted = {
        "rate": "7 requests a second",
        "keep": "3 days",
        "timeout": "20 s",
        "key_quota": "demo=500, 1000 recipients a day",
        "coalesce": "no",
        "attempts": "0",
    }
    assert "the built-in sandbox takes all messages" in told
    assert {name: said[name].rstrip() for name in wanted} == wanted
    code, _, err = await ctl("config", "check", SMSD_RTAE="1", SMSD_KEEP="x")
    assert code == 1
    assert "did you mean SMSD_RATE?" in err
    assert "SMSD_KEEP is 'x'" in err


@pytest_twisted.ensureDeferred
async def test_held_messages_are_listed_and_decided_over(daemon: Any, smsctl: Any) -> None:
    server = daemon(**SLOW)
    await server.start()
    ctl = smsctl(server)
    assert await ctl.json("held") == []
    assert (await ctl.json("held", "send", "-y", "--newer-than", "2026-11-24T06:00:00Z"))[0]["sent"] == 0
    assert (await ctl.json("held", "expire", "-y"))[0]["expired"] == 0
    assert (await ctl("held", "send", "-y", "--newer-than", "yesterday"))[0] == 1


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("shell", ["zsh", "fish"])
async def test_a_shell_learns_to_complete(tmp_path: Path, shell: str) -> None:
    code, out, _ = await Smsctl("http://127.0.0.1:9", tmp_path)("completion", shell)
    assert (code, "_SMSCTL_COMPLETE" in out) == (0, True)


async def _are(ctl: Smsctl, state: str, count: int) -> bool:
    return len(await ctl.json("list", "--state", state)) == count


async def _letters(ctl: Smsctl, archive: str, count: int) -> bool:
    return len(await ctl.json("archive", "list", SMSD_ARCHIVE=archive)) == count


@pytest_twisted.ensureDeferred
async def test_keys_are_made_listed_and_revoked(daemon: Any, smsctl: Any) -> None:
    server: DaemonProcess = daemon(**SLOW)
    await server.start()
    ctl = smsctl(server)
    code, out, err = await ctl("keys", "make", "shop", "--role", "send")
    assert (code, "not shown again" in err) == (0, True)
    shop = smsctl(server, key=out.strip())
    assert (await shop(*ONE))[0] == 0
    code, _, err = await shop("list")
    assert (code, err) == (1, "smsctl: This key lacks the role 'read'\n")
    code, out, _ = await ctl("keys")
    [line] = [line for line in out.splitlines() if line.startswith("shop")]
    assert "send" in line
    assert out.strip() not in shop.environment["SMSD_API_KEY"]
    told = {key["name"]: key for key in await ctl.json("keys")}
    assert told["shop"]["last_used_at"] is not None
    assert (await ctl("keys", "make", "shop", "--role", "read"))[0] == 1
    assert (await ctl("keys", "make", "desk", "--role", "king"))[0] == 2
    assert (await ctl("keys", "revoke", "shop", "--yes"))[0] == 0
    assert (await shop(*ONE))[0] == 1
