"""What docs/clients.md shows works as it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.integration.daemon import KEY, ROOT

SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs/clients.md").read_text(), re.MULTILINE | re.DOTALL)
#: How each language is run: its program, and the file that it wants.
RUN = {
    "bash": (["bash"], "snippet.sh"),
    "python": ([sys.executable], "snippet.py"),
    "javascript": (["node"], "snippet.mjs"),
    "go": (["go", "run"], "snippet.go"),
}


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param(
            *each, marks=() if each[0] in ("bash", "python") else pytest.mark.engines, id=f"{number}-{each[0]}"
        )
        for number, each in enumerate(SNIPPETS)
    ],
)
async def test_a_snippet_has_an_sms_taken(daemon: Any, tmp_path: Path, language: str, text: str) -> None:
    command, name = RUN[language]
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is not installed")
    server = daemon(rate="50")
    await server.start()
    (tmp_path / name).write_text(text)
    environment = {"SMSD_URL": server.url, "SMSD_API_KEY": KEY, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    kept = {each: os.environ[each] for each in ("PATH", "HOME") if each in os.environ}
    ended = await deferToThread(
        subprocess.run,
        [*command, str(tmp_path / name)],
        env=kept | environment | {"GOCACHE": str(tmp_path / "go")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    found = await (await server.get("/sms")).json()
    assert [sms["id"] in ended.stdout for sms in found["sms"]] == [True]
    assert found["sms"][0]["message"] == "Your order is ready."
