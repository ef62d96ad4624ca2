"""The spool can be copied while the daemon runs, and the copy started from, as docs/operating.md says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from tests.integration.daemon import ROOT


def command(source: Path, target: Path) -> list[str]:
    """The command of the manual, for these files."""
    line = re.search(r"^    (python3 -c .*backup.*)$", (ROOT / "docs/operating.md").read_text(), re.MULTILINE)
    assert line is not None
    words = shlex.split(line[1])
    return [sys.executable, *words[1:-2], str(source), str(target)]


@pytest_twisted.ensureDeferred
async def test_a_copy_made_under_load_has_all_that_was_answered_before_it(daemon: Any, tmp_path: Path) -> None:
    server = daemon(rate="50")
    await server.start()
    before = await gatherResults([Deferred.fromCoroutine(server.accepted()) for _ in range(200)])
    during = gatherResults([Deferred.fromCoroutine(server.accepted()) for _ in range(200)])
    copy = tmp_path / "copy.db"
    await deferToThread(subprocess.run, command(server.spool, copy), check=True, timeout=60)
    after = await during
    assert await server.terminate() == 0
    for file in tmp_path.glob("smsd.db*"):
        file.unlink()
    copy.rename(server.spool)
    await server.start()
    for id in before:
        assert (await server.get(f"/sms/{id}")).code == 200
    assert {(await server.get(f"/sms/{id}")).code for id in after} <= {200, 404}
