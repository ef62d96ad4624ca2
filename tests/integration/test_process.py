"""The daemon as a process: how it starts, refuses to start, and stops."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.integration.daemon import ROOT, SMS, TWISTD, DaemonProcess, free_port, until
from tests.integration.provider import Behaviour, Provider


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest_twisted.ensureDeferred
async def test_told_to_stop_it_waits_for_the_answer_under_way_and_exits_with_0(
    daemon: Any, provider: Provider, number: int
) -> None:
    provider.script([Behaviour(pause_s=1.0)])
    server = daemon(rate="10")
    await server.start()
    first = await server.accepted()
    await until(provider.posts, "the provider is being called")
    waiting = await server.accepted()
    server.process.send_signal(number)
    assert await server.ended() == 0
    await server.start()
    assert (await server.shown(first))["state"] == "sent"
    await until(lambda: len(provider.stored) == 2, "the other one follows")
    assert sorted(kept["reference"] for kept in provider.stored.values()) == sorted([first, waiting])


@pytest_twisted.ensureDeferred
async def test_while_it_stops_it_takes_nothing_more(daemon: Any, provider: Provider) -> None:
    provider.script([Behaviour(pause_s=2.0)])
    server = daemon(rate="10")
    await server.start()
    await server.accepted()
    await until(provider.posts, "the provider is being called")
    server.process.send_signal(signal.SIGTERM)

    async def closed() -> bool:
        return not await server.is_healthy()

    await until(closed, "the door is shut")
    assert server.process.poll() is None
    assert await server.ended() == 0


async def refusal(server: DaemonProcess, *command: str) -> str:
    """Start a daemon that must refuse; what it said."""
    before = server.output.stat().st_size if server.output.exists() else 0
    server.spawn(*command)
    assert await server.ended() == 1
    said = server.output.read_text()[before:]
    assert "Traceback" not in said
    return said


@pytest_twisted.ensureDeferred
async def test_a_second_daemon_on_the_same_file_refuses_and_says_why(daemon: Any) -> None:
    first = daemon()
    await first.start()
    second = daemon()
    assert second.spool == first.spool
    said = await refusal(second)
    assert f"is in use by process {first.process.pid}" in said
    assert await first.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_a_foreign_file_is_refused_and_left_alone(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "smsd.db").write_bytes(b"the accounts of 2025\n" * 100)
    assert "smsd cannot start" in await refusal(daemon())
    assert (tmp_path / "smsd.db").read_bytes() == b"the accounts of 2025\n" * 100


@pytest_twisted.ensureDeferred
async def test_an_address_in_use_is_refused_in_a_sentence(daemon: Any) -> None:
    first, second = daemon(), daemon(spool="memory:")
    await first.start()
    second.environment["SMSD_LISTEN"] = first.environment["SMSD_LISTEN"]
    assert "Address already in use" in await refusal(second)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SMSD_RAET", "5", "did you mean SMSD_RATE?"),
        ("SMSD_RATE", "fast", "SMSD_RATE"),
        ("SMSD_API_KEYS", "BigBird", "The demo key BigBird is refused with a real provider key"),
        ("SMSD_LISTEN", "localhost:5000", "localhost:5000 is no endpoint to listen on"),
        ("SMSD_LISTEN", "systemd:domain=INET:index=0", "no such socket was handed over"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_setting_is_refused_in_a_sentence(daemon: Any, name: str, value: str, said: str) -> None:
    server = daemon()
    server.environment[name] = value
    assert said in await refusal(server)


@pytest_twisted.ensureDeferred
async def test_without_a_key_the_sandbox_takes_and_shows_the_message(tmp_path: Path) -> None:
    server = DaemonProcess(tmp_path, None, sandbox=f"tcp:{free_port()}:interface=127.0.0.1", rate="20")
    await server.start()
    response = await server.post(SMS, X_API_Key="BigBird")
    assert response.code == 200
    line = "SMS to 31633450007 from MB: This is a test message."
    await until(lambda: line in server.output.read_text(), "the sandbox shows it")
    assert "SANDBOX" in server.output.read_text()
    assert await server.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_a_tac_file_runs_the_same_daemon(daemon: Any, provider: Provider) -> None:
    server = daemon(rate="20")
    await server.start(TWISTD, "--nodaemon", "--pidfile=", "-y", str(ROOT / "smsd.tac"))
    await server.accepted()
    await until(lambda: provider.stored, "the message arrives")
    assert await server.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_in_the_background_it_logs_to_a_file(daemon: Any, tmp_path: Path) -> None:
    server = daemon()
    assert server.spawn(TWISTD, "--pidfile=smsd.pid", "smsd").wait(timeout=30) == 0
    await until(server.is_healthy, "it answers")
    pid = int((tmp_path / "smsd.pid").read_text())
    id = await server.accepted()
    await until(lambda: id in (tmp_path / "twistd.log").read_text(), "the log tells of it")
    os.kill(pid, signal.SIGTERM)
    await until(lambda: not (tmp_path / "smsd.pid").exists(), "it has ended")


@pytest_twisted.ensureDeferred
async def test_an_installed_wheel_brings_the_plugin_and_all_its_files(daemon: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"  # building leaves things behind; not in the checkout
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "var", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    quiet = {"cwd": tmp_path, "check": True}
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", "wheels", str(source)], **quiet)
    (wheel,) = (tmp_path / "wheels").glob("smsd-*.whl")
    installed = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(installed), str(wheel)], **quiet)
    server = daemon(rate="20")
    server.environment["PYTHONPATH"] = str(installed)
    where = "import smsd; print(smsd.__file__)"
    imported = subprocess.run([sys.executable, "-c", where], env=server.environment, capture_output=True, **quiet)
    assert imported.stdout.decode().startswith(str(installed))
    said = subprocess.run([TWISTD, "--help"], env=server.environment, capture_output=True, **quiet)
    assert b"Accepts SMS over HTTP" in said.stdout
    await server.start()
    await server.accepted()
    assert await server.terminate() == 0
