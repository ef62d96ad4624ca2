"""What is built from this tree works where it is not: installed, and under a service manager."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.integration.daemon import ROOT, TWISTD, until

PASSING_ON = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
    "os.execv(sys.argv[2], sys.argv[2:])"
)

#: What is no module, and has to come along: folders of the package, and what in them.
SHIPPED = (
    ("spool/sql", "*.sql"),
    ("spool/postgresql/sql", "*.sql"),
    ("api/schema", "*.json"),
    ("api/dashboard/templates", "*.html"),
    ("api/dashboard/static", "*"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, so that building leaves nothing behind."""
    copy = tmp_path_factory.mktemp("source") / "smsd"
    passed_over = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "var", "tests", "__pycache__", "*.cache")
    shutil.copytree(ROOT, copy, ignore=passed_over)
    return copy


@pytest.fixture(scope="module")
def installed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of an environment in which the wheel is installed, without the tree."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(tree), cwd=folder)
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), cwd=folder)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    # What smsd stands on comes from here; smsd itself from the wheel, which is looked through first.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _run(
        str(folder / "venv/bin/python"),
        *pip[1:],
        "install",
        "--no-deps",
        "--ignore-installed",
        *map(str, folder.glob("*.whl")),
        cwd=folder,
    )
    return folder / "venv" / "bin"


def _run(*command: str, cwd: Path, **environment: str) -> str:
    ended = subprocess.run(
        command, cwd=cwd, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_an_installed_wheel_has_all_that_the_daemon_and_smsctl_need(installed: Path, tmp_path: Path) -> None:
    python = str(installed / "python")
    assert _run(python, "-c", "import smsd; print(smsd.__file__)", cwd=tmp_path).startswith(str(installed.parent))
    twistd = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"
    assert "Accepts SMS over HTTP" in _run(python, "-c", twistd, "--help", cwd=tmp_path)
    assert "--delimiter" in _run(str(installed / "smsctl"), "send", "--help", cwd=tmp_path)
    assert "smsctl spool copy" in (installed.parent / "share/man/man1/smsctl.1").read_text()
    assert "settings are good" in _run(str(installed / "smsctl"), "--json", "config", "check", cwd=tmp_path)
    made = "from smsd.api.manual import Manual; print(len(Manual().document))"
    assert int(_run(python, "-c", made, cwd=tmp_path)) > 10_000
    site = next((installed.parent / "lib").glob("python*/site-packages"))
    for folder, kind in SHIPPED:
        assert _names(site / "smsd" / folder, kind) == _names(ROOT / "smsd" / folder, kind)


def test_the_source_distribution_can_be_built_from(tree: Path, tmp_path: Path) -> None:
    _run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", str(tmp_path), cwd=tree)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in ("README.md", "smsd.tac", "smsd.toml.example", "twisted/plugins/smsd_plugin.py", "smsd/py.typed"):
        assert needed in names
    assert {f"smsd/spool/sql/{name}" for name in _names(ROOT / "smsd/spool/sql", "*.sql")} <= names


@pytest_twisted.ensureDeferred
async def test_a_service_manager_hands_over_the_socket_and_is_told(daemon: Any, tmp_path: Path) -> None:
    server = daemon(rate="0.01")
    with (
        socket.create_server(("127.0.0.1", server.port)) as door,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        os.set_inheritable(door.fileno(), True)
        server.environment |= {
            "SMSD_LISTEN": "systemd:domain=INET:index=0",
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "smsd.socket",
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
        }
        command = [sys.executable, "-c", PASSING_ON, str(door.fileno()), TWISTD, "--nodaemon", "--pidfile=", "smsd"]
        server.process = subprocess.Popen(
            command, cwd=tmp_path, env=server.environment, pass_fds=[door.fileno()], stdout=subprocess.DEVNULL
        )
        assert await _told(manager) == b"READY=1"
        assert (await server.get("/health")).code == 200
        assert await server.terminate() == 0
        assert await _told(manager) == b"STOPPING=1"


@pytest.mark.engines
def test_the_units_are_sound(tmp_path: Path) -> None:
    for name in ("smsd.service", "smsd.socket"):
        text = (ROOT / "deploy" / name).read_text().replace("/opt/smsd/bin/twistd", "/bin/true")
        (tmp_path / name).write_text(text)
    _run("systemd-analyze", "verify", "--man=no", "./smsd.service", "./smsd.socket", cwd=tmp_path)
    # In tenths: a little above what docs/operating.md states.
    _run(
        "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=12", "./smsd.service", cwd=tmp_path
    )


async def _told(manager: socket.socket) -> bytes:
    def heard() -> bytes:
        try:
            return manager.recv(100)
        except BlockingIOError:
            return b""

    told: bytes = await until(heard, "the service manager is told")
    return told


def _names(folder: Path, kind: str) -> set[str]:
    return {path.name for path in folder.glob(kind)}
